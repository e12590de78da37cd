"""The web page of ``vimrag serve``: plain HTML, CSS and ES modules, served as they are.

Holds where the files lie and nothing else; routes and headers are the server's.
"""

from pathlib import Path

STATIC = Path(__file__).resolve().parent / "static"
"""The folder of the page's files; flat, ``index.html`` is the page."""
