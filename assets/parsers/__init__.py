"""One parser a dataset: raw files in their authoritative format -> items, media, questions and counted skips.

A tenth dataset is one file here and one line in ``assets.corpus.dataset``. What several formats share (streamed
JSON, page and clip items, questions) has a file of its own beside them; nothing here writes,
deduplicates or indexes.
"""
