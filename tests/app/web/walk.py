"""What a walk through the page needs: four files of a person, and a model that reads what it is shown."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from memory_graph.actions import Answer, Mark, Memorize, Search, render
from model.agent.prompts import FULL
from tests.assets.user_files.test_films import write_with_subtitles
from tests.infra.documents.material import docx, p
from tests.infra.documents.test_slides import box, deck, slide
from tests.servers.openai_server import Answer as Reply
from tests.servers.openai_server import Messages, Spoken, text_of

SCANNED = "The crane at the northern quay lifts forty tons."
SAID = "The bridge opens at noon."
SAID_AT = 3  # seconds
TABLE = (
    "The crane at the northern quay lifts forty tons.\n\n"
    "| what | tons |\n|---|---:|\n| crane | forty |\n| hoist | ninety |\n\n"
    "The load is $F = m g$, and the height is $h = \\frac{v^2}{2 g}$."
)


def write_files(folder: Path) -> list[Path]:
    """A letter, slides, a film with subtitles inside, and a scan."""
    folder.mkdir(parents=True, exist_ok=True)
    letter, slides, scan = folder / "letter.docx", folder / "plans.pptx", folder / "scan.pdf"
    letter.write_bytes(docx(p("The harbour master asks for a second ferry.")))
    slides.write_bytes(deck(slide(box("Plans of the harbour: a third pier."))))
    page = Image.new("RGB", (1240, 1754), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(36)
    for row, line in enumerate(("Report of the harbour", "", SCANNED, "It was painted in spring.")):
        draw.text((120, 160 + 70 * row), line, fill="black", font=font)
    page.save(scan, resolution=150)
    film = write_with_subtitles(folder / "film.mkv", [(1, "Good morning."), (SAID_AT, SAID)])
    return [letter, slides, film, scan]


def script(messages: Messages) -> Reply:
    """One search, the best result kept, an answer in its words; slowly where the question says so."""
    if len(messages) == 1:
        return "yellow and purple"  # it is asked, once, whether it sees
    asked = text_of(messages[1])
    question = asked.rpartition(FULL.question)[2].partition("\n")[0]
    is_slow, last = "slowly" in question, text_of(messages[-1])
    if FULL.answer_now.strip() in last:
        return render(Answer(parents=("root",), text="Answered from what was found: nothing yet."))
    node = "n2" if "bridge" in question else "n1"
    if last.startswith("Search results"):
        wanted = "film" if node == "n2" else "scan"
        lines = [line for line in last.splitlines() if line.startswith("[")]
        marks = tuple(
            Mark(
                item=at,
                useful=wanted in line,
                priority=5,
                timestamps=tuple(range(5)) if wanted == "film" else (),
            )
            for at, line in enumerate(lines, 1)
        )
        summary = SAID if node == "n2" else SCANNED
        return render(Memorize(id=node, summary=summary, marks=marks))
    if f"{node} <-" in asked and not is_slow:
        return render(Answer(parents=(node,), text=SAID if node == "n2" else TABLE))
    if is_slow:
        return Spoken(text="I think about it for a very long while. " * 400, pause_s=0.05, piece_chars=6)
    return render(
        Search(id=node, parents=("root",), query="bridge opens noon film" if node == "n2" else "crane tons")
    )
