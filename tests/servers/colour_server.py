"""A model that really looks: it sees which colours fill the pictures it is shown, and knows nothing else.

Answers depend on pixels alone, so that whether a question needs one clip, two, or none is decided by what the builder sent.
Every colour has a code by which questions speak of it without giving it away.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from assets.xvbench_builder import prompts
from infra.llm import captioner
from model.evaluation import judge_prompt
from tests.servers.openai_server import Answer, OpenAIServer, Received, text_of

COLOURS = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "red": (230, 20, 20),
    "green": (20, 170, 30),
    "blue": (20, 40, 220),
    "yellow": (240, 230, 20),
    "grey": (128, 128, 128),
    "pink": (250, 150, 190),
}
CODES = {name: f"K{number}" for number, name in enumerate(COLOURS)}
NAMES = {code: name for name, code in CODES.items()}

BOTH = "Which colours have the screens {}?"
ONE = "Which colour has the screen {}, unlike {}?"
CLOSED = "What is the capital of France, if {} are screens?"
ANY = "Is anything seen, of {} or not?"
NEVER = "What is said about {}?"

Drafting = Callable[[Sequence[str]], Any]
"""From the colours of the clips offered to the reply, or to a form of question about all of them."""


class ColourServer(OpenAIServer):
    """Describes, drafts, answers and grades; ``draft`` may decide by colours what is drafted."""

    def __init__(
        self, draft: Drafting = lambda colours: BOTH, *, caption: str = "{} fills the screen."
    ) -> None:
        super().__init__()
        self.draft, self.caption = draft, caption
        self.asked: Counter[str] = Counter()  # requests of each kind
        self.answered: Counter[str] = Counter()  # replies by the request they were given to
        self.intercept: Callable[[int, Received], Answer | None] = lambda number, received: None

    def respond(self, received: Received) -> Answer:
        """See ``OpenAIServer``; ``intercept`` gets the number of the request first, from 1."""
        number = len(self.requests)
        if (instead := self.intercept(number, received)) is not None:
            return instead
        kind, reply = self._reply(received)
        self.asked[kind] += 1
        self.answered[json.dumps(received.body, sort_keys=True)] += 1
        return reply if isinstance(reply, str) else json.dumps(reply)

    def _reply(self, received: Received) -> tuple[str, Any]:
        system = received.messages[0]["content"]
        user = text_of(received.messages[1])
        seen = [colour_of(image) for image in received.images]
        if system == captioner.SYSTEM:
            return "caption", {"caption": self.caption.format(" then ".join(dict.fromkeys(seen)))}
        if system == prompts.DRAFT:
            return "draft", self._draft(json.loads(user))
        if system == prompts.ANSWER:
            question = json.JSONDecoder().raw_decode(user)[0]["question"]
            return "answer", {"answer": answer(question, seen)}
        assert system == judge_prompt.SYSTEM, system
        fields = json.loads(user)
        right = fields["prediction"] == fields["references"][0]
        return "grade", f"GRADE: {'C' if right else 'I'}"

    def _draft(self, clips: dict[str, dict[str, str]]) -> Any:
        colours = [next(name for name in COLOURS if name in clip["caption"]) for clip in clips.values()]
        form = self.draft(colours)
        if form not in (BOTH, ONE, CLOSED, ANY, NEVER):
            return form
        codes = [CODES[colour] for colour in colours]
        question = form.format(codes[0], codes[1]) if form == ONE else form.format(" and ".join(codes))
        return {"question": question, "answer": answer(question, colours), "clips": list(clips)}


def answer(question: str, seen: Sequence[str]) -> str:
    """What who sees these colours, and nothing else, can say."""
    codes = re.findall(r"K\d+", question)
    if question.startswith("What is the capital"):
        return "Paris"
    if question.startswith("Is anything seen"):
        return "yes, something" if seen else "no idea"
    if question.startswith("What is said"):
        return f"no idea from {len(seen)} pictures"
    wanted = [NAMES[code] for code in (codes[:1] if "unlike" in question else codes)]
    return " and ".join(wanted) if set(wanted) <= set(seen) else "no idea"


def colour_of(image: Image.Image) -> str:
    """The name of the colour that fills a picture."""
    mean = np.asarray(image.convert("RGB")).reshape(-1, 3).mean(axis=0)
    return min(COLOURS, key=lambda name: float(np.abs(mean - COLOURS[name]).sum()))


CODECS = {".mp4": "mpeg4", ".mkv": "mpeg4", ".webm": "libvpx"}


def write_colours(path: Path, *colours: str, seconds: int = 60) -> None:
    """A film of one frame a second: each colour fills the screen for so long."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(CODECS[path.suffix], rate=1)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for colour in colours:
            pixels = np.full((32, 32, 3), COLOURS[colour], np.uint8)
            for _ in range(seconds):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
