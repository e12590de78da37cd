"""The paper's experiments (arXiv 2602.12735) as frozen configurations: which arms answer the same questions, what is compared.

Data only, no torch. Budgets are fractions of the limits that fit the model's prompts, so that one experiment means the same for
the tiny model and for a served one; the tight ones are there because at the full budget every kept item of the miniature gets
all it can use, and then energies decide nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from memory_graph.budget import TOKEN_PIXELS
from model.config.limits import Limits
from orchestration.study.arms import Arm, RetrieverKind

Pair: TypeAlias = tuple[str, str]
"""(of, against): the first minus the second."""
SHARES = (1 / 40, 1 / 20, 1 / 10, 1 / 5, 1.0)
"""Of S_total: from two tokens of the miniature's eighty, or 32 of 1,280, to all."""
CROWDED_SHARES = (1 / 20, 1 / 10, 1 / 5, 2 / 5, 3 / 5, 1.0)
"""The same for memories that kept everything, among which even larger ones have to be shared out."""
KEPT = (1, 2, 5)
TURNS = (2, 3, 4, 6, 10, 20)
TIGHT = 1 / 10
"""Of S_total, at which single terms of the energy are switched off."""
EQUAL_CONTEXT = 1 / 2
"""Of the context, that all strategies of pilot 2 get alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a figure: arms by their place on the axis."""

    name: str
    points: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """Arms over the same questions."""

    name: str
    title: str
    arms: tuple[Arm, ...]
    pairs: tuple[Pair, ...]
    axis: str = ""
    """What the figure's lines are drawn over; without it there are bars alone."""
    lines: tuple[Line, ...] = ()
    paper: Mapping[str, float] | None = None
    """Overall accuracy of the paper by arm, in per cent, to stand beside ours."""
    cuts: bool = False
    """Whether wrong rollouts of the first arm are answered again from parts of their graphs (pilot 3)."""
    crowded: bool = False
    """Whether all arms answer at once from one memory a question: that of a rollout which kept every picture it found."""


def _against_first(arms: tuple[Arm, ...]) -> tuple[Pair, ...]:
    return tuple((arm.name, arms[0].name) for arm in arms[1:])


def pilot1(base: Limits) -> Experiment:
    """Memory as history, as summary, as graph."""
    del base
    arms = tuple(Arm(name=name, memory=name) for name in ("react", "mem1", "memagent", "vimrag"))
    pairs = tuple(("vimrag", arm.name) for arm in arms[:-1])
    return Experiment(name="pilot1", title="Pilot 1: history, summary, graph", arms=arms, pairs=pairs)


def pilot2(base: Limits) -> Experiment:
    """Captions, raw pixels, captions in view of the query, related pixels; with their own and with equal context."""
    names = ("precaption", "raw_visual", "context_caption", "related_visual")
    tokens = int(base.context_tokens * EQUAL_CONTEXT)
    alike = tuple(
        Arm(name=f"{name}-{tokens}", memory=name, limits={"context_tokens": tokens}) for name in names
    )
    arms = (*(Arm(name=name, memory=name) for name in names), *alike)
    pairs = tuple(("related_visual", name) for name in names[:-1]) + tuple(
        (alike[-1].name, arm.name) for arm in alike[:-1]
    )
    return Experiment(name="pilot2", title="Pilot 2: what is kept of images", arms=arms, pairs=pairs)


def pilot3(base: Limits) -> Experiment:
    """Evidence against noise: wrong rollouts that found gold, answered again from their evidence alone."""
    del base
    arm = Arm(name="vimrag", memory="vimrag")
    return Experiment(name="pilot3", title="Pilot 3: evidence and noise", arms=(arm,), pairs=(), cuts=True)


def ablation(base: Limits) -> Experiment:
    """Table 3: iterative text memory, + graph, + multimodal memory, + energy budgets."""
    del base
    arms = tuple(Arm(name=name, memory=name) for name in ("mem1", "vimrag_text", "vimrag_equal", "vimrag"))
    pairs = tuple((after.name, before.name) for before, after in pairwise(arms))
    paper = {"mem1": 43.6, "vimrag_text": 47.1, "vimrag_equal": 48.9, "vimrag": 50.1}
    return Experiment(name="ablation", title="Table 3: ablations", arms=arms, pairs=pairs, paper=paper)


def budget(base: Limits) -> Experiment:
    """S_total and K from nearly nothing to all: shares by energy against equal ones."""
    arms: list[Arm] = []
    pairs: list[Pair] = []
    lines: dict[str, list[tuple[float, str]]] = {}
    for kept in KEPT:
        for tokens in _budgets(base):
            limits = {"total_pixels": tokens * TOKEN_PIXELS, "kept_items": kept, "min_pixels": TOKEN_PIXELS}
            pair = [
                Arm(name=f"{how}-K{kept}-{tokens}", memory=memory, limits=limits)
                for how, memory in (("energy", "vimrag"), ("equal", "vimrag_equal"))
            ]
            if kept != KEPT[-1]:
                pair = pair[:1]  # equal shares go to all kept items, whatever K is
            arms += pair
            pairs.append((pair[0].name, f"equal-K{KEPT[-1]}-{tokens}"))
            for arm in pair:
                lines.setdefault(arm.name.rpartition("-")[0], []).append((tokens, arm.name))
    drawn = tuple(Line(name=name, points=tuple(points)) for name, points in lines.items())
    title = "Budget of pixels: energy against equal shares"
    return Experiment(
        name="budget",
        title=title,
        arms=tuple(arms),
        pairs=tuple(pairs),
        axis="S_total, visual tokens",
        lines=drawn,
    )


def _budgets(base: Limits, shares: Sequence[float] = SHARES) -> list[int]:
    """Visual tokens of shares of S_total."""
    return sorted({max(1, round(share * base.total_pixels / TOKEN_PIXELS)) for share in shares})


def crowded(base: Limits) -> Experiment:
    """S_total over memories that kept all they found: by energy, with and without stated priorities, and in equal shares."""
    by_energy: Mapping[str, Mapping[str, float]] = {
        "energy-K5": {"kept_items": 5},
        "energy-K2": {"kept_items": 2},
        "no_priority-K5": {"kept_items": 5, "by_priority": False},
    }
    arms: list[Arm] = []
    pairs: list[Pair] = []
    lines: dict[str, list[tuple[float, str]]] = {}
    for tokens in _budgets(base, CROWDED_SHARES):
        tight = {"total_pixels": tokens * TOKEN_PIXELS, "min_pixels": TOKEN_PIXELS}
        equal = Arm(name=f"equal-{tokens}", memory="vimrag_equal", limits=tight)
        others = [
            Arm(name=f"{name}-{tokens}", memory="vimrag", limits={**tight, **limits})
            for name, limits in by_energy.items()
        ]
        arms += [*others, equal]
        pairs += [(arm.name, equal.name) for arm in others]
        for name, arm in zip((*by_energy, "equal"), (*others, equal), strict=True):
            lines.setdefault(name, []).append((tokens, arm.name))
    drawn = tuple(Line(name=name, points=tuple(points)) for name, points in lines.items())
    return Experiment(
        name="crowded",
        title="Memories that kept everything: energy against equal shares",
        arms=tuple(arms),
        pairs=tuple(pairs),
        axis="S_total, visual tokens",
        lines=drawn,
        crowded=True,
    )


def energy(base: Limits) -> Experiment:
    """Terms of the energy off, one at a time, at a tight budget."""
    tokens = max(2, round(TIGHT * base.total_pixels / TOKEN_PIXELS))
    tight = {"total_pixels": tokens * TOKEN_PIXELS, "kept_items": 2, "min_pixels": TOKEN_PIXELS}
    off: Mapping[str, Mapping[str, float]] = {
        "all_terms": {},
        "no_priority": {"by_priority": False},
        "no_topology": {"by_topology": False},
        "no_decay": {"decay": 0.0},
        "no_feedback": {"feedback": 0.0},
    }
    arms = tuple(Arm(name=name, memory="vimrag", limits={**tight, **each}) for name, each in off.items())
    title = f"Terms of the energy, one off at a time ({tokens} visual tokens, K = 2)"
    return Experiment(name="energy", title=title, arms=arms, pairs=_against_first(arms))


def retriever(base: Limits) -> Experiment:
    """The kinds of search, one alone and joined."""
    del base
    arms = tuple(Arm(name=str(kind), memory="vimrag", retriever=kind) for kind in RetrieverKind)
    return Experiment(name="retriever", title="Retriever", arms=arms, pairs=_against_first(arms))


def turns(base: Limits) -> Experiment:
    """Model calls of a rollout, up to what the model's prompts allow."""
    allowed = sorted({calls for calls in TURNS if calls < base.calls} | {base.calls})
    arms = tuple(Arm(name=f"calls-{calls}", memory="vimrag", limits={"calls": calls}) for calls in allowed)
    line = Line(
        name="vimrag", points=tuple(zip(map(float, allowed), (arm.name for arm in arms), strict=True))
    )
    pairs = tuple((arms[-1].name, arm.name) for arm in arms[:-1])
    return Experiment(
        name="turns", title="Model calls allowed", arms=arms, pairs=pairs, axis="calls", lines=(line,)
    )


EXPERIMENTS: Mapping[str, Callable[[Limits], Experiment]] = {
    make.__name__: make
    for make in (pilot1, pilot2, pilot3, ablation, budget, crowded, energy, retriever, turns)
}
