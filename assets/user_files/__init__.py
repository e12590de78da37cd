"""A person's own files: found, told apart, read, kept by content, and put together as the dataset ``documents``.

The one entry is ``assets.user_files.ingest.ingest``. May import ``infra`` and the rest of ``assets``.
"""
