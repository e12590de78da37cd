"""The small file by which a running server is found: ``serving/<pid>.json`` below a local root, readable by its owner alone.

It holds the process, the address and a random key, never the token. Whoever finds it asks the address to prove that it knows
the key before a word of a question or a token goes there: a file that was left behind, or a port that another program has
taken since, proves nothing. Standard library only, for commands that must start quickly.
"""

import contextlib
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

FOLDER = "serving"
_LABEL = b"vimrag serves this root\n"
MOST_FILES = 16  # that are looked at; more are those of killed servers


class Announcement(NamedTuple):
    """What a server says of itself. ``url`` has no slash at its end."""

    pid: int
    url: str
    key: str


def new_key() -> str:
    """What only the server and whoever may read its file know."""
    return secrets.token_hex(32)


def proof(key: str, nonce: str) -> str:
    """What a server answers that knows the key."""
    return hmac.new(key.encode(), _LABEL + nonce.encode(), hashlib.sha256).hexdigest()


@contextlib.contextmanager
def announced(root: Path, url: str, key: str) -> Iterator[None]:
    """The file as long as the block lasts. A root that cannot be written to is served without."""
    path = root / FOLDER / f"{os.getpid()}.json"
    try:
        _write(path, Announcement(os.getpid(), url, key))
    except OSError:
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def _write(path: Path, said: Announcement) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    for old in list(path.parent.glob("*.json"))[:MOST_FILES]:
        if old.stem.isdigit() and not _lives(int(old.stem)):
            old.unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(said._asdict(), file)


def announcements(root: Path) -> Iterator[Announcement]:
    """Those of processes that live, on this machine's own address, in files that nobody else can have written."""
    for path in sorted((root / FOLDER).glob("*.json"))[:MOST_FILES]:
        try:
            with open(path, opener=_own_file) as file:
                fields = json.load(file)
            said = Announcement(int(fields["pid"]), str(fields["url"]), str(fields["key"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if _lives(said.pid) and _is_loopback(said.url):
            yield said


def _own_file(path: str, flags: int) -> int:
    """Opened if it is a file of this user that no other may write. Raises ``OSError``."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW)
    about = os.fstat(descriptor)
    if about.st_uid != os.getuid() or about.st_mode & 0o077:
        os.close(descriptor)
        raise PermissionError(path)
    return descriptor


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def _is_loopback(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")
