"""The question templates of the nine datasets, one module a kind of evidence; ``ask`` draws a world's questions."""
