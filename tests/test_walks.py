"""The three walks of docs/architecture.md name files that exist, at most twelve each, none twice."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def walks() -> dict[str, list[str]]:
    """Title of each walk -> its files in order."""
    page = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = page.split("## Three walks\n", 1)[1].split("\n## ", 1)[0]
    return {
        part.splitlines()[0]: re.findall(r"^\d+\. `([^`]+)`", part, flags=re.MULTILINE)
        for part in section.split("### ")[1:]
    }


def test_a_walk_visits_at_most_twelve_files_and_none_twice():
    assert len(walks()) == 3
    for files in walks().values():
        assert 2 <= len(files) <= 12 and len(set(files)) == len(files)


def test_every_file_of_a_walk_exists():
    missing = [name for files in walks().values() for name in files if not (REPOSITORY / name).is_file()]
    assert missing == []
