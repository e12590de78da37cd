"""The corpus: items and questions in tables, media in shards, one published artifact a dataset."""
