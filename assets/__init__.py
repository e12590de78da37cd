"""The corpus: nine dataset parsers, the miniature, items, questions, shards, index and grading.

May import ``infra``; never ``model``, ``orchestration`` or ``app``.
"""
