"""The question templates of the nine datasets, one module a kind of evidence."""
