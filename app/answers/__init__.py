"""What an answer is, once for the terminal, the page and programs: model, root, citations."""
