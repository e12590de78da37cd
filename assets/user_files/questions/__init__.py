"""Questions of one's own beside one's own files: read line by line, kept, and part of the dataset ``documents``."""
