"""Which code made an artifact: the hash of the sources, and the commit where they lie in a repository.

Holds the finding only; who writes it into a manifest is the caller's. Git is asked and never needed.
"""

import hashlib
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

TIMEOUT_S = 20.0


def code_inputs(folder: Path, packages: Sequence[str]) -> Mapping[str, str]:
    """``code``, a hash of the sources of ``packages`` below ``folder``; ``commit`` too if that is the top of a repository.

    A commit ends in ``-dirty`` where files of the packages differ from it.
    """
    commit = _commit(folder, packages)
    return {"code": f"sha256:{sources_sha256(folder, packages)}", **({"commit": commit} if commit else {})}


def sources_sha256(folder: Path, packages: Sequence[str]) -> str:
    """Over names and bytes of all ``.py`` files, in name order; in hex."""
    hashed = hashlib.sha256()
    for file in sorted(path for name in packages for path in (folder / name).rglob("*.py")):
        content = file.read_bytes()
        hashed.update(f"{file.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
        hashed.update(content)
    return hashed.hexdigest()


def _commit(folder: Path, packages: Sequence[str]) -> str | None:
    top = _git(folder, "rev-parse", "--show-toplevel")
    # a package installed below somebody else's repository has no commit there
    if top is None or Path(top).resolve() != folder.resolve():
        return None
    head = _git(folder, "rev-parse", "HEAD")
    changed = _git(folder, "status", "--porcelain", "--", *packages)
    return None if head is None else head + ("-dirty" if changed else "")


def _git(folder: Path, *arguments: str) -> str | None:
    """What git prints; None if there is no git, no repository or no answer."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
