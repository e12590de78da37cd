"""Getting the nine benchmarks from where their authors publish them, into the folders that the parsers read.

What is published where is in ``publications.py``, in the terms of ``catalogue.py``; ``fetch.py`` is the way in.
"""
