"""What files are called: the shortest folder that tells files of one name apart, and the files that a reader's words mean."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from assets.user_files.paths import file_key, is_below, location_of
from infra.errors import nearest_name

MOST_NAMED = 8  # files in an error


class UnknownFileError(ValueError):
    """No file, or more than one, is called so."""


def folders_of(locations: Sequence[str]) -> dict[str, str]:
    """For each location the end of its folder that no other file of the same name has; empty for a name that stands once.

    >>> folders_of(["/a/x/1.pdf", "/a/y/1.pdf", "/a/2.pdf"])
    {'/a/x/1.pdf': 'x', '/a/y/1.pdf': 'y', '/a/2.pdf': ''}
    """
    by_name: dict[str, list[str]] = defaultdict(list)
    for location in locations:
        by_name[location.rsplit("/", 1)[-1]].append(location)
    found: dict[str, str] = {}
    for alike in by_name.values():
        if len(alike) == 1:
            found[alike[0]] = ""
            continue
        found |= _apart(alike)
    return {location: found[location] for location in locations}


def _apart(alike: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    left, depth = list(alike), 1
    while left:
        ends: dict[str, list[str]] = defaultdict(list)
        for location in left:
            ends["/".join(location.split("/")[:-1][-depth:])].append(location)
        left = []
        for end, those in ends.items():
            if len(those) == 1 or depth > max(location.count("/") for location in those):
                found |= dict.fromkeys(those, end)
            else:
                left += those
        depth += 1
    return found


def meant(words: Iterable[str], locations: Sequence[str]) -> list[str]:
    """The locations that are meant: by key, by path, by a folder above, by name, or by the end of the path.

    Raises:
        UnknownFileError: if none is, or if a name alone stands for several; the text says which, or the nearest.
    """
    by_key = {file_key(location): location for location in locations}
    known = set(locations)
    found: dict[str, None] = {}
    for word in words:
        for location in _meant(word, by_key, known):
            found.setdefault(location)
    return list(found)


def _meant(word: str, by_key: dict[str, str], known: set[str]) -> list[str]:
    plain = word.strip()
    if plain in by_key:
        return [by_key[plain]]
    place = location_of(Path(plain).expanduser()) if plain else ""
    if place in known:
        return [place]
    if plain and (below := sorted(location for location in known if is_below(location, [place]))):
        return below
    end = "/" + plain.strip("/").removeprefix("./")
    named = sorted(location for location in known if plain and location.endswith(end))
    if len(named) == 1:
        return named
    if named:
        shown = ", ".join(named[:MOST_NAMED]) + (" ..." if len(named) > MOST_NAMED else "")
        raise UnknownFileError(f"{len(named)} files are called {plain!r}: {shown}; name one with its folder")
    raise UnknownFileError(_unknown(plain, known))


def _unknown(word: str, known: set[str]) -> str:
    names = sorted({location.rsplit("/", 1)[-1] for location in known})
    stems = {name.rpartition(".")[0] or name: name for name in names}  # an ending in common is no likeness
    wanted = word.rsplit("/", 1)[-1]
    near = stems.get(nearest_name(wanted.rpartition(".")[0] or wanted, stems, cutoff=0.6), "")
    hint = f"did you mean {near!r}?" if near else "`vimrag sources list` names those that are"
    return f"no file {word[:200]!r} was ingested; {hint}"
