"""``vimrag version``: what is installed here, for bug reports."""

import platform
from importlib import metadata

from app.commands.options import JsonFlag
from app.commands.output import as_json, results

SHOWN = ("vimrag", "dagster", "torch", "transformers", "deepspeed", "lancedb", "weaviate-client", "polars")


def version(json: JsonFlag = False) -> None:
    """Print the versions of this program and of the libraries that matter."""
    versions = {"python": platform.python_version(), **{name: _version(name) for name in SHOWN}}
    with results() as write:
        if json:
            write(as_json(versions))
            return
        for name, number in versions.items():
            write(f"{name} {number or 'not installed'}")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
