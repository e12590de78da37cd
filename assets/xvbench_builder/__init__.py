"""A benchmark in the format of XVBench, built from a folder of videos (arXiv 2602.12735): see ``build.py``.

Video -> Clip -> Caption -> Draft -> Check -> row, all in ``records.py``; one stage a file.
"""
