"""What is not worth reading though it could be: files that programs write for programs, and folders of other people's packages.

They are left out below a folder that is given, by names that mean nothing else and, of texts, by a content that nobody wrote by
hand. What is named itself is read, and what was read before stays.
"""

import os
import re
from pathlib import Path

from assets.user_files.file_kinds import FileKind

GENERATED, PACKAGES = "generated_file", "installed_packages"
REASONS = frozenset({GENERATED, PACKAGES})
SAMPLE_BYTES = 1 << 18  # of a text, at its beginning
LONG_LINE = 1000  # bytes; paragraphs of prose on one line are longer, but have blanks
MIN_LONG_SHARE = 0.8  # of the bytes, in long lines: what is packed may have a licence above it
MAX_BLANK_SHARE = 0.08  # of the bytes of long lines; packed scripts have 2 to 6 %, prose 15 to 18 %
MIN_ASCII_SHARE = 0.95  # Chinese, Japanese and Thai are written without blanks
_HOW_FILE = "to read it, name the file itself"
_HOW_FOLDER = "to read it, name the folder itself"
_LOCKS = frozenset(
    {
        *("package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "deno.lock"),
        *("poetry.lock", "pipfile.lock", "pdm.lock", "uv.lock", "pixi.lock", "conda-lock.yml", "pylock.toml"),
        *("cargo.lock", "composer.lock", "gemfile.lock", "go.sum", "go.work.sum", "mix.lock", "rebar.lock"),
        *("pubspec.lock", "podfile.lock", "cartfile.resolved", "package.resolved", "flake.lock"),
        *("packages.lock.json", "paket.lock", "gradle.lockfile", "buildscript-gradle.lockfile"),
        *("module.bazel.lock", "stack.yaml.lock", "cabal.project.freeze", "chart.lock"),
    }
)
_NAMES = (
    (re.compile(r"\.min\.(?:[cm]?js|css)\Z"), "minified script or style sheet"),
    (re.compile(r"\.(?:[cm]?js|css)\.map\Z"), "source map"),
    (re.compile(r"(?:_pb2(?:_grpc)?\.pyi?|\.pb\.(?:go|cc|h)|\.pb\.gw\.go)\Z"), "code of a protocol compiler"),
)
_FOLDERS = frozenset({"node_modules", "bower_components", "site-packages", "__pycache__"})
# of data, a long line is a record, and of a subtitle or a table nothing is packed
_DATA_SUFFIXES = frozenset(
    {
        *(".json", ".jsonl", ".ndjson", ".geojson", ".yaml", ".yml", ".toml", ".sql", ".log", ".ics", ".vcf"),
        *(".properties", ".bib", ".po", ".srt", ".vtt", ".json3", ".srv3"),
    }
)


def why_file(path: Path, kind: FileKind) -> str:
    """Why a file below a folder that is given is not read, and how to read it anyway; empty if it is read.

    Raises:
        OSError: if it cannot be read.
    """
    name = path.name.lower()
    what = "lock file of a package manager" if name in _LOCKS else ""
    what = what or next((said for pattern, said in _NAMES if pattern.search(name)), "")
    if not what and kind is FileKind.TEXT and path.suffix.lower() not in _DATA_SUFFIXES:
        with path.open("rb") as file:
            what = "packed: long lines with hardly a blank" if is_packed(file.read(SAMPLE_BYTES)) else ""
    return f"{what}; {_HOW_FILE}" if what else ""


def why_folder(folder: Path) -> str:
    """Why a folder below one that is given is not entered, and how to read it anyway; empty if it is entered."""
    if folder.name.lower() in _FOLDERS:
        return f"packages that were installed, or what was made of them; {_HOW_FOLDER}"
    if os.path.isfile(folder / "pyvenv.cfg"):  # false where it may not be looked at
        return f"Python environment; {_HOW_FOLDER}"
    return ""


def is_packed(text: bytes) -> bool:
    """Whether a text begins with ``text`` that nobody wrote: almost all of it long lines, with hardly any blanks."""
    if b"\0" in text:  # UTF-16, which is told by its reader
        return False
    long = [line for line in text.splitlines() if len(line) > LONG_LINE]
    size = sum(map(len, long))
    if not size or size < MIN_LONG_SHARE * len(text):
        return False
    blanks = sum(line.count(b" ") + line.count(b"\t") for line in long)
    plain = sum(len(line) - len(line.translate(None, bytes(range(0x80)))) for line in long)
    return blanks < MAX_BLANK_SHARE * size and plain >= MIN_ASCII_SHARE * size
