"""The split that the name of a file tells."""

import re
from pathlib import PurePosixPath

SPLITS = {
    "train": "train",
    "training": "train",
    "dev": "dev",
    "val": "dev",
    "valid": "dev",
    "validation": "dev",
}
SPLITS |= {"test": "test", "testing": "test"}
_WORD = re.compile(r"[a-z]+")


def split_of(name: str) -> str | None:
    """The split that a path names: a word of the file's name, else of the nearest folder that has one.

    A word is a run of letters, or one with "set" behind it; "latest" names nothing, nor does a folder
    "training_data" above a file called "dev-v1.1.json".
    """
    for part in reversed(PurePosixPath(name.lower()).parts):
        for word in _WORD.findall(part):
            if (split := SPLITS.get(word) or SPLITS.get(word.removesuffix("set"))) is not None:
                return split
    return None
