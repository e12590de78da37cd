"""Small copies of what the datasets' hosts serve, put on a server of this machine at the same paths."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

from assets.acquisition.session import FetchReport
from tests.servers.file_server import FileServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"
VIDEOS = ("-aB_cdEFghi", "zzzzzzzzz_1", "gone-video1")

Fetch = Callable[..., FetchReport]


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


def put_commit(server: FileServer, host: str, name: str, revision: str) -> None:
    path = f"/huggingface/api/datasets/{name}/revision/{revision}"
    if host == "github":
        path = f"/github-api/repos/{name}/commits/{revision}"
    server.put(path, as_json({"sha": COMMIT}))


def put_lvbench(server: FileServer) -> str:
    question = {"uid": "1", "question": "What?\n(A) a\n(B) b", "answer": "A", "time_reference": "00:01-00:03"}
    lines = [{"key": key, "qa": [{**question, "uid": str(number)}]} for number, key in enumerate(VIDEOS)]
    put_commit(server, "hub", "zai-org/LVBench", "main")
    path = f"/huggingface/datasets/zai-org/LVBench/resolve/{COMMIT}/video_info.meta.jsonl"
    server.put(path, b"\n".join(as_json(line) for line in lines))
    return path


def put_videos(server: FileServer, video_bytes: bytes) -> None:
    for video_id in VIDEOS[:2]:
        server.put(f"/films/{video_id}.mp4", video_bytes, headers={"Content-Type": "video/mp4"})


def put_mmlongbench(server: FileServer, documents: dict[str, bytes]) -> None:
    put_commit(server, "github", "mayubo2333/MMLongBench-Doc", "HEAD")
    base = f"/github-raw/mayubo2333/MMLongBench-Doc/{COMMIT}/data"
    rows = [
        {
            "doc_id": name,
            "question": f"What is in {name}?",
            "answer": "x",
            "evidence_pages": "[1]",
            "answer_format": "Str",
        }
        for name in documents
    ]
    server.put(f"{base}/samples.json", as_json(rows))
    for name, body in documents.items():
        if body:
            server.put(f"{base}/documents/{name}", body)


def put_videorag(server: FileServer, **extra: bytes) -> str:
    put_commit(server, "github", "starsuzi/VideoRAG", "HEAD")
    videos = [{"video_id": VIDEOS[0], "rank": 3}, {"video_id": VIDEOS[1], "rank": 9}]
    wiki = [
        {
            "qid": 133,
            "wikihow_query_text": "How To",
            "howto100m_query_text": "To",
            "answer_text": "so",
            "videos": videos,
        }
    ]
    synthetic = [{**wiki[0], "qid": f"{VIDEOS[1]}_0", "videos": videos[1:]}]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        top = f"VideoRAG-{COMMIT}"
        archive.writestr(f"{top}/README.md", "read me")
        archive.writestr(f"{top}/datasets/qa/wikihow.json", as_json(wiki))
        archive.writestr(f"{top}/datasets/qa/synthetic.json", as_json(synthetic))
        archive.writestr(f"{top}/datasets/retrieval/wikihow/query2videos.json", "{}")
        archive.writestr(f"{top}/datasets/scripts/asr/{VIDEOS[0]}.txt", "first words")
        archive.writestr(f"{top}/datasets/scripts/original/{VIDEOS[1]}.txt", "second words")
        for name, data in extra.items():
            archive.writestr(f"{top}/{name}", data)
    path = f"/github-archive/starsuzi/VideoRAG/zip/{COMMIT}"
    server.put(path, buffer.getvalue())
    return path


def tree(folder: Path) -> dict[str, str]:
    """Every file below a folder, hidden ones too, with its hash."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
