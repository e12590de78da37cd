"""A small real root for the page: own files with hostile names and texts, a scripted model, a file of trajectories."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from assets.miniature.writers.pdf import PdfPageSpec, pdf_bytes
from assets.parsers.types import ParseContext
from assets.user_files.ingest import DATASET, IngestSettings, ingest
from infra.storage.root import Storage
from memory_graph.actions import Answer, Mark, Memorize, Search, render
from memory_graph.graph import AnswerNode, MemoryGraph, SearchNode, VisualItem, VisualKind
from model.rl import trajectory_store
from model.types import IMAGE_MARK, Call, Counters, ImageRef, Outcome, Role, Segment, Task, Trajectory, Turn
from tests.assets.user_files.material import write_still_film, write_text
from tests.servers.openai_server import Answer as Reply
from tests.servers.openai_server import Fault, Messages, Spoken, text_of

HOSTILE_NAME = "<img src=x onerror=alert(1)>.png"
HOSTILE_TEXT = "<script>alert(2)</script> harbour leaflet"
QUESTION = "When was the harbour museum founded, and who opened it?"
ANSWER = "1931, by the mayor <b>Ada</b>"
ROWS = 130
FILE = "pilot-ggpo/update-00001.parquet"
SUMMARY = "The museum was founded in 1931. <script>alert(3)</script>"

_QUERIES = {"n1": "harbour museum founded", "n2": "weather of the day", "n3": "video of the opening"}
_PARENTS = {"n1": ("root",), "n2": ("root",), "n3": ("n1",)}
_REASONING = "I look at what is known so far and decide what is still missing for the whole answer. "
_RESULT = re.compile(r"^\[(\d+)\] (.*)", re.MULTILINE)
_NODE = re.compile(r"^(n\d+) <- ", re.MULTILINE)


def build_root(folder: Path) -> Path:
    """Four files of a person, ingested: a PDF of two pages, an image, a note and a clip of 20 seconds."""
    files, root = folder / "files", folder / "root"
    files.mkdir()
    lines = ("The harbour museum was founded in 1931.",), ("The weather of the day was fine.",)
    pages = tuple(PdfPageSpec(lines=line) for line in lines)
    (files / "report.pdf").write_bytes(pdf_bytes(pages, width=300.0, height=200.0))
    image = Image.new("RGB", (640, 400), (40, 90, 160))
    ImageDraw.Draw(image).rectangle((80, 80, 320, 240), fill=(230, 200, 90))
    image.save(files / HOSTILE_NAME)
    write_text(files / "notes.md", f"# Harbour\n\n{HOSTILE_TEXT}: the museum lies at the quay.\n")
    write_still_film(files / "opening.mp4", seconds=20)
    write_text(files / "opening.txt", "Video of the opening: the mayor opens the harbour museum.")
    reading = ParseContext(dpi=144, ocr=lambda _: HOSTILE_TEXT, max_frames=4, fps=0.2)
    ingest([files], Storage(str(root)), settings=IngestSettings(reading=reading))
    return root


def script(messages: Messages) -> Reply:
    """What the model says: three searches, of which the second leads nowhere, then the answer.

    A question with the word "slowly" is answered slowly, one with "broken" not at all.
    """
    if len(messages) == 1:
        return "yellow and purple"  # it is asked, once, whether it sees
    question = text_of(messages[1])
    if "broken" in question:
        return Fault(status=400, body={"error": {"message": "this model is out of order"}})
    pause_s = 0.05 if "slowly" in question else 0.006
    return Spoken(text=_REASONING + render(_action(messages)), pause_s=pause_s, piece_chars=8)


def _action(messages: Messages) -> Search | Memorize | Answer:
    memory = text_of(messages[1])
    done = len(set(_NODE.findall(memory)))
    if done == len(_QUERIES):
        return Answer(parents=("n1", "n3"), text=ANSWER)
    node = f"n{done + 1}"
    if len(messages) == 2:
        return Search(id=node, parents=_PARENTS[node], query=_QUERIES[node])
    return Memorize(id=node, summary=SUMMARY, marks=tuple(_marks(node, text_of(messages[-1]))))


def _marks(node: str, observation: str) -> Sequence[Mark]:
    times = (2.5, 7.5) if "seconds>" in observation else ()
    return [
        Mark(
            item=int(number),
            useful=node != "n2",
            priority=5,
            timestamps=times if "opening.mp4" in title else (),
        )
        for number, title in _RESULT.findall(observation)
    ]


def write_trajectories(root: Path, page: str, image: str) -> None:
    """``ROWS`` rows over two items of the root: every third is wrong, every tenth unscored."""
    folder = root / "trajectories" / Path(FILE).parent
    folder.mkdir(parents=True)
    rows = [_trajectory(number, page, image) for number in range(ROWS)]
    trajectory_store.write(folder / Path(FILE).name, rows)


def _trajectory(number: int, page: str, image: str) -> Trajectory:
    correct = None if number % 10 == 9 else number % 3 > 0
    question = f"Question {number}: when was the museum founded?"
    return Trajectory(
        task=Task(
            id=f"task-{number}",
            dataset=DATASET if number % 2 else "hotpotqa",
            question=question,
            answers=("1931",),
        ),
        graph=_graph(question, page, image),
        segments=_segments(page, image),
        outcome=Outcome.FORCED if number % 5 == 0 else Outcome.ANSWERED,
        answer="1931" if correct else "1955",
        memory="vimrag" if number % 4 else "react",
        reward=None if correct is None else float(correct),
        correct=correct,
        advantage=None if correct is None else 0.7 if correct else -1.4,
        counters=Counters(model_calls=4, searches=2, prompt_tokens=2000 + number, completion_tokens=120),
    )


def _graph(question: str, page: str, image: str) -> MemoryGraph:
    kept = (
        VisualItem(item_id=page, kind=VisualKind.PAGE, priority=5, width=600, height=400),
        VisualItem(item_id=image, kind=VisualKind.IMAGE, priority=2, width=640, height=400),
    )
    first = SearchNode(
        id="n1",
        parents=("root",),
        query="founding year",
        summary=SUMMARY,
        items=kept,
        retrieved=(page, image),
    )
    second = SearchNode(
        id="n2", parents=("root",), query="weather", summary="Nothing.", retrieved=("documents:text:gone",)
    )
    graph = MemoryGraph(question=question).add(first).add(second)
    return graph.finish(AnswerNode(parents=("n1",), text="1931"))


def _segments(page: str, image: str) -> tuple[Segment, ...]:
    system = Turn(role=Role.SYSTEM, text="You answer a question.")
    user = Turn(
        role=Role.USER,
        text=f"Question: when?\n\nKept evidence:\n[n1] report {IMAGE_MARK} and then {IMAGE_MARK} end",
    )
    images = (ImageRef(item_id=page, width=192, height=128), ImageRef(item_id=image, width=96, height=64))
    search = render(Search(id="n1", parents=("root",), query="founding year"))
    observed = Turn(role=Role.TOOL, text=f"Search results:\n[1] <img src=x onerror=alert(4)> {IMAGE_MARK}")
    first = _call((system, user), images, f"I search. {search}")
    second = _call(
        (system, user, Turn(role=Role.ASSISTANT, text=first.text), observed),
        (*images, images[0]),
        "I remember.",
    )
    answer = render(Answer(parents=("n1",), text="1931"))
    return (
        Segment(node_id="n1", calls=(first, second)),
        Segment(node_id="n2", calls=(first,)),
        Segment(node_id=None, calls=(_call((system, user), images, f"I know. {answer}"),)),
    )


def _call(turns: tuple[Turn, ...], images: tuple[ImageRef, ...], text: str) -> Call:
    tokens = (1, 2, 3)
    return Call(
        prompt_ids=tokens,
        token_ids=tokens,
        logprobs=(-0.1, -0.2, -0.3),
        images=images,
        text=text,
        turns=turns,
        prompt_tokens=500,
        completion_tokens=30,
    )
