"""Answers the miniature's questions from evidence alone: the scripted reasoner of oracles and property tests.

It knows the sentence patterns and how pictures are read, but no world, plan or gold: what the evidence does not show, it does
not know, and then it abstains. Holds question patterns only; facts are gathered in ``facts.py``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from assets.miniature.lexicon import GOODS, LETTERS, SEASONS
from assets.miniature.plans import NOT_ANSWERABLE
from tests.assets.miniature import template_ocr
from tests.assets.miniature.facts import Facts, PerceivedItem, UnknownFactError

Answer = Callable[..., str]


def solve(question: str, evidence: Sequence[PerceivedItem]) -> str:
    """The answer that ``evidence`` supports, or "Not answerable".

    Raises:
        ValueError: for a question of no known pattern.
    """
    for pattern, answer in PATTERNS:
        if match := re.fullmatch(pattern, question, re.DOTALL):
            try:
                return answer(Facts(evidence), *match.groups())
            except UnknownFactError:
                return NOT_ANSWERABLE
    raise ValueError(f"no pattern of the miniature fits {question!r}")


def _fact(*relations: str) -> Answer:
    """Follow relations from the name in the question, one after another."""

    def answer(facts: Facts, name: str) -> str:
        for relation in relations:
            name = facts.stated(relation, name)
        return name

    return answer


def _opened_first(facts: Facts, one: str, other: str) -> str:
    return min((one, other), key=lambda name: facts.stated("opened", name))


def _makers_opened_first(facts: Facts, one: str, other: str) -> str:
    return _opened_first(facts, facts.stated("maker", one), facts.stated("maker", other))


def _badge_colour(facts: Facts, name: str) -> str:
    return template_ocr.read_badge(facts.image("badge", name)).colour


def _badge_code(facts: Facts, name: str) -> str:
    return f"{template_ocr.read_badge(facts.image('badge', name)).code:02d}"


def _founder_code(facts: Facts, team: str) -> str:
    return _badge_code(facts, facts.stated("founder", team))


def _same_colour(facts: Facts, one: str, other: str) -> str:
    return "yes" if _badge_colour(facts, one) == _badge_colour(facts, other) else "no"


def _door(facts: Facts, name: str) -> str:
    image = facts.image("door", name)
    return template_ocr.read_door(
        template_ocr.figure_of_page(image) if facts.on_page("door", name) else image
    )


def _meeting_door(facts: Facts, team: str) -> str:
    return _door(facts, facts.stated("meets", team))


def _output(facts: Facts, season: str, team: str) -> str:
    return str(template_ocr.read_bars(facts.image("output", team))[SEASONS.index(season)])


def _higher_output(facts: Facts, season: str, one: str, other: str) -> str:
    return max((one, other), key=lambda team: int(_output(facts, season, team)))


def _stock(facts: Facts, good: str, workshop: str) -> str:
    return str(template_ocr.read_table(facts.image("stock", workshop))[GOODS.index(good)])


def _more_stock(facts: Facts, good: str, one: str, other: str) -> str:
    return max((one, other), key=lambda workshop: int(_stock(facts, good, workshop)))


def _reading(facts: Facts, device: str) -> str:
    return str(template_ocr.read_dial(template_ocr.figure_of_page(facts.image("dial", device))))


def _higher_reading(facts: Facts, one: str, other: str) -> str:
    return max((one, other), key=lambda device: int(_reading(facts, device)))


def _film(facts: Facts, what: str, minutes: str, seconds: str, name: str, options: str) -> str:
    scene = template_ocr.read_frame(facts.moment(name, 60 * int(minutes) + int(seconds)))
    shown = scene.colour if "lamp" in what else scene.mark
    choices = re.findall(r"\([A-D]\) (\w+)", options)
    return LETTERS[choices.index(shown)] if shown in choices else NOT_ANSWERABLE


def _lamps(facts: Facts, device: str) -> list[str]:
    """The colours of a clip in order, repeats in a row left out."""
    shown = [template_ocr.read_frame(image).colour for image in facts.clip(device)]
    return [colour for place, colour in enumerate(shown) if place == 0 or shown[place - 1] != colour]


def _end_lamp(facts: Facts, end: str, device: str) -> str:
    return _lamps(facts, device)[0 if end == "first" else -1]


def _end_mark(facts: Facts, end: str, device: str) -> str:
    return template_ocr.read_frame(facts.clip(device)[0 if end == "first" else -1]).mark


def _lamp_after(facts: Facts, colour: str, device: str) -> str:
    lamps = _lamps(facts, device)
    if colour not in lamps[:-1]:
        raise UnknownFactError(colour)
    return lamps[lamps.index(colour) + 1]


def _same_start(facts: Facts, one: str, other: str) -> str:
    return "yes" if _end_lamp(facts, "first", one) == _end_lamp(facts, "first", other) else "no"


def _ends_with(facts: Facts, colour: str, one: str, other: str) -> str:
    ends = {device: _end_lamp(facts, "last", device) for device in (one, other)}
    return next((device for device, end in ends.items() if end == colour), NOT_ANSWERABLE)


def _page_and_clip(facts: Facts, label: str, reading: str, end: str) -> str:
    for device in facts.shown("dial", f"{label} report"):
        if _reading(facts, device) == reading:
            return _end_lamp(facts, end, device)
    raise UnknownFactError(f"dial {reading}")


PATTERNS: tuple[tuple[str, Answer], ...] = (
    (r"Where does the (?:leader|head) of (\w+) work\?", _fact("leader", "works")),
    (r"When did the employer of the (?:leader|head) of (\w+) open\?", _fact("leader", "works", "opened")),
    (r"Which (?:maker|builder) opened first, of (\w+) or of (\w+)\?", _makers_opened_first),
    (r"When did the (?:maker|builder) of (\w+) open\?", _fact("maker", "opened")),
    (r"Which (?:opened first|is older), (\w+) or (\w+)\?", _opened_first),
    (r"What is the (?:job|role) of (\w+)\?", _fact("job")),
    (r"Where does (\w+) live\?", _fact("lives")),
    (r"What is (\w+) made of\?", _fact("made")),
    (r"Where does (\w+) stand\?", _fact("stands")),
    (r"What colour is the (?:badge|card) of (\w+)\?", _badge_colour),
    (r"What code is on the (?:badge|card) of (\w+)\?", _badge_code),
    (r"What code is on the badge of the (?:founder|creator) of (\w+)\?", _founder_code),
    (r"Do the (?:badge|card)s of (\w+) and (\w+) have the same colour\?", _same_colour),
    (r"In which region does (\w+) meet\?", _fact("meets", "lies")),
    (r"What mark is on the door where (\w+) meets\?", _meeting_door),
    (r"What was the (\w+) (?:output|yield) of (\w+)\?", _output),
    (r"Which had the higher (\w+) (?:output|yield), (\w+) or (\w+)\?", _higher_output),
    (r"How much (\w+) is in the (?:stock|store) of (\w+)\?", _stock),
    (r"Which has more (\w+) in (?:stock|store), (\w+) or (\w+)\?", _more_stock),
    (r"What reading is on the (?:dial|gauge) of (\w+)\?", _reading),
    (r"Which has the higher (?:dial|gauge) reading, (\w+) or (\w+)\?", _higher_reading),
    (r"How many workers has (\w+)\?", _fact("workers")),
    (r"What does (\w+) sell\?", _fact("sells")),
    (r"Who is the (?:boss|chief) of (\w+)\?", _fact("boss")),
    (r"What mark is on the (?:door|gate) of (\w+)\?", _door),
    (r"What (colour is the lamp|mark is shown) at (\d+):(\d+) in the (?:film|movie) of (\w+)\?(.*)", _film),
    (r"How To Build (\w+)", _fact("build")),
    (r"What colour is the (first|last) lamp in the (?:video|movie) of (\w+)\?", _end_lamp),
    (r"What is the (first|last) mark in the (?:video|movie) of (\w+)\?", _end_mark),
    (r"What colour is the lamp after (\w+) in the (?:video|movie) of (\w+)\?", _lamp_after),
    (r"Do the (?:video|movie)s of (\w+) and (\w+) start with the same colour\?", _same_start),
    (r"Which (?:video|movie) ends with (\w+), (\w+) or (\w+)\?", _ends_with),
    (
        r"The (\w+) report has a (?:dial|gauge) with reading (\d)\. "
        r"What colour is the (first|last) lamp in the video of its device\?",
        _page_and_clip,
    ),
)
