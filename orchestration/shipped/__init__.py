"""Files that are no code and that runs need wherever the platform is installed.

In a checkout they lie at its top; in the wheel the build puts them into this folder (``pyproject.toml``). Imports nothing.
"""

from pathlib import Path

_WHEEL = Path(__file__).resolve().parent
_CHECKOUT = _WHEEL.parents[1]  # of a wheel: the folder that all packages lie in


def shipped(name: str) -> Path:
    """The file or folder called ``name``: ``checkpoints``, ``dagster.yaml`` or ``workspace.yaml``."""
    inside = _WHEEL / name
    return inside if inside.exists() else _CHECKOUT / name


def deployment(name: str) -> Path:
    """A file of ``infra/deploy``: what several machines or processes share."""
    return _CHECKOUT / "infra" / "deploy" / name
