"""Whether a served model reads pictures: asked once with a picture of two colours, remembered for each endpoint and model.

A server may refuse pictures, or drop them without a word and let the model guess; only a model that sees names both colours.
What is found is remembered for a week; ``probe_sight`` asks anew.
"""

import hashlib
import json
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from infra.errors import EndpointError
from infra.llm.errors import NoPicturesError
from infra.llm.image_parts import image_part, text_part
from infra.llm.reply_json import without_thoughts
from infra.llm.types import ChatCompleter, Decoding
from infra.storage.atomic import replacing

QUESTION = "Which two colours fill this picture? Answer with two words."
COLOURS = ((250, 220, 0), (130, 0, 160))
SIDE = 224  # pixels
MAX_TOKENS = 1024  # models that think need some
REMEMBERED_S = 7 * 24 * 3600.0

_RIGHT = re.compile(r"yellow|gold|purple|violet|magenta|lila", re.IGNORECASE)
_WRONG = re.compile(
    r"\b(red|green|blue|black|white|orange|grey|gray|brown|pink|teal|cyan)\b"
    r"|(can ?not|can't|unable|not able|don't)[^.]{0,30}(see|view|access|image|picture)|no (image|picture)|text-based|text only",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What the probe found; ``sees`` is None where the reply tells nothing."""

    sees: bool | None
    detail: str


async def probe_sight(chat: ChatCompleter) -> Sight:
    """Show the model two colours and ask for them. Never raises for what a server does."""
    content = [image_part(two_colours(), side=SIDE), text_part(QUESTION)]
    try:
        reply = await chat.complete(
            [{"role": "user", "content": content}],
            Decoding(temperature=0.0, top_p=1.0, max_tokens=MAX_TOKENS),
        )
    except NoPicturesError as error:
        return Sight(sees=False, detail=str(error))
    except EndpointError as error:
        return Sight(sees=None, detail=str(error))
    return read_sight(reply.text)


def read_sight(text: str) -> Sight:
    """What a reply to the probe tells."""
    said = " ".join(without_thoughts(text).split())[:100]
    if _RIGHT.search(said):
        return Sight(sees=True, detail=f"it named the colours of a picture: {said}")
    if _WRONG.search(said):
        return Sight(
            sees=False, detail=f"it could not name the colours of a picture, it said: {said or 'nothing'}"
        )
    return Sight(sees=None, detail="its reply to a picture tells nothing")


def two_colours() -> Image.Image:
    """The picture of the probe: one colour on the left, one on the right."""
    picture = Image.new("RGB", (SIDE, SIDE), COLOURS[0])
    picture.paste(COLOURS[1], (SIDE // 2, 0, SIDE, SIDE))
    return picture


class SightMemory:
    """What was found, in a file of this user; a file that cannot be read or written is as good as none."""

    def __init__(self, folder: Path | None = None) -> None:
        base = folder or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        self._path = base / "vimrag" / "sight.json"

    def recall(self, base_url: str, model: str) -> bool | None:
        """Whether this model sees, if it was found out lately."""
        entry = self._entries().get(_key(base_url, model))
        if not isinstance(entry, dict) or not isinstance(entry.get("sees"), bool):
            return None
        when = entry.get("when")
        is_fresh = isinstance(when, int | float) and 0 <= time.time() - when < REMEMBERED_S
        return entry["sees"] if is_fresh else None

    def keep(self, base_url: str, model: str, *, sees: bool) -> None:
        """Remember it."""
        entries = self._entries() | {_key(base_url, model): {"sees": sees, "when": int(time.time())}}
        try:
            with replacing(self._path, shared=True) as partial:
                partial.write_text(json.dumps(entries))
        except OSError:
            return

    def _entries(self) -> dict[str, object]:
        try:
            found = json.loads(self._path.read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


def _key(base_url: str, model: str) -> str:
    return hashlib.sha256(f"{base_url.rstrip('/')}\n{model}".encode()).hexdigest()[:32]
