"""What a dataset's own records say that fetching needs: how many questions, which documents, which videos.

Records are streamed; what cannot be read is left for the parsers to report.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from assets.parsers import hotpotqa, lvbench, mmlongbench_doc, slidevqa, squad, videorag, webqa, xvbench
from assets.parsers.files.json_stream import JsonElement
from assets.parsers.files.raw_folder import RawFile
from assets.parsers.files.record_files import Marks, is_marked, read_records
from assets.parsers.videos import video_stem
from infra.downloads.archives import safe_name

MARKS: Mapping[str, Marks] = {
    "hotpotqa": hotpotqa.MARKS,
    "squad": (*squad.ARTICLE, *squad.ROW),
    "webqa": webqa.MARKS,
    "slidevqa": slidevqa.MARKS,
    "mmlongbench_doc": mmlongbench_doc.MARKS,
    "lvbench": lvbench.MARKS,
    "wikihowqa": videorag.MARKS,
    "syntheticqa": videorag.MARKS,
    "xvbench": xvbench.MARKS,
}


def count_questions(dataset: str, path: Path) -> int:
    """The questions in one file of ``dataset``."""
    return sum(_questions_in(record) for record in _records(dataset, path))


def documents(folder: Path) -> Sequence[str]:
    """The documents that MMLongBench-Doc asks about, in order of their names."""
    names = {_text(record, "doc_id") for record in _records("mmlongbench_doc", folder / "samples.json")}
    plain = (name for name in names if safe_name(name) == name and "/" not in name)
    return [f"documents/{name}" for name in sorted(plain)]


def lvbench_videos(folder: Path) -> Sequence[str]:
    """The keys of LVBench's videos."""
    return _distinct(_text(record, "key") for record in _records("lvbench", folder / "video_info.meta.jsonl"))


def listed_videos(dataset: str, file: str, folder: Path) -> Sequence[str]:
    """The videos that the questions in ``file`` list, of WikiHowQA or SyntheticQA."""
    listed = (record.get("videos") for record in _records(dataset, folder / file))
    return _distinct(_text(video, "video_id") for videos in listed for video in _mappings(videos))


def xvbench_videos(folder: Path) -> Sequence[str]:
    """The whole videos that XVBench's questions name."""
    names = (_text(record, "video_name") for record in _records("xvbench", folder / "xvbench.jsonl"))
    return _distinct(video_stem(name) for name in names)


def _records(dataset: str, path: Path) -> Iterator[Mapping[str, object]]:
    if not path.is_file():
        return
    marks = MARKS[dataset]
    for element in read_records(RawFile(path, path.name), marks):
        if isinstance(element, JsonElement) and is_marked(element.value, marks):
            assert isinstance(element.value, Mapping)
            yield element.value


def _questions_in(record: Mapping[str, object]) -> int:
    """A record is one question, or holds a list of them in some depth."""
    if "paragraphs" in record:
        return sum(_length(paragraph, "qas") for paragraph in _mappings(record["paragraphs"]))
    return _length(record, "qa") if "qa" in record else 1


def _mappings(value: object) -> list[Mapping[str, object]]:
    return [element for element in value if isinstance(element, Mapping)] if isinstance(value, list) else []


def _length(record: Mapping[str, object], name: str) -> int:
    value = record.get(name)
    return len(value) if isinstance(value, list) else 0


def _text(record: Mapping[str, object], name: str) -> str:
    value = record.get(name)
    return value.strip() if isinstance(value, str) else ""


def _distinct(names: Iterator[str]) -> Sequence[str]:
    return list(dict.fromkeys(name for name in names if name))
