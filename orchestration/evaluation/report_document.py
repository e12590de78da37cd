"""The report of a run, arranged from its evaluation document and its lines of training metrics.

Holds the arranging; the page is rendered by ``infra.reporting.report``. No model is loaded.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from infra.reporting.charts import Curve
from infra.reporting.report import (
    CounterTable,
    Estimate,
    MethodRow,
    PairedDifference,
    Report,
    ReportExample,
    SpendingRow,
)
from memory_graph.drawing.svg import CSS, NAMESPACE
from model.evaluation.statistics import Interval
from orchestration.evaluation.document import (
    GREEDY_PAIR,
    SAMPLED_PAIR,
    SAMPLES,
    EvaluationDocument,
    MethodComparison,
    MethodScores,
)
from orchestration.evaluation.training_curves import ggpo_curves
from orchestration.launch.run_config import RunConfig

MIN_ROLLOUTS = 5  # a mean over fewer says nothing
TRAINED_FACT, MOVED_FACT, MEANING_FACT = "what was trained", "it moved by", "what that means"
TITLES = {
    "closed_book": "closed book",
    "vanilla": "vanilla RAG",
    "videorag": "VideoRAG",
    "universalrag": "UniversalRAG",
    "react": "ReAct",
    "mem1": "Mem1",
    "memagent": "MemAgent",
    "vimrag_text": "graph, text only",
    "vimrag_equal": "graph, equal budgets",
    "vimrag_by_picture": "graph, searches by picture",
    "precaption": "captions at index time",
    "raw_visual": "all retrieved pixels",
    "context_caption": "captions given the query",
    "related_visual": "useful items' pixels",
    "cold_start": "VimRAG, cold start",
    "ggpo": "VimRAG, GGPO",
    "cold_start_sampled": "VimRAG, cold start, sampled",
    "ggpo_sampled": "VimRAG, GGPO, sampled",
}
NOTES = {
    "closed_book": "no search",
    "vanilla": "one search",
    "videorag": "one search, clips first",
    "universalrag": "one search where a router says",
    "react": "the whole history",
    "mem1": "a text state rewritten each turn",
    "memagent": "a bounded text memory",
    "cold_start_sampled": f"{SAMPLES} answers a question, drawn as in training",
    "ggpo_sampled": f"{SAMPLES} answers a question, drawn as in training",
}
_MEANINGS = {
    "better": "a gain beyond the chance of the questions; another seed was not run",
    "worse": "a loss: these updates did not help",
}
COUNTERS = {
    "model_calls": "model calls",
    "searches": "searches",
    "repeated_searches": "repeated searches",
    "dead_ends": "searches without a useful item",
    "prompt_tokens": "prompt tokens",
    "completion_tokens": "completion tokens",
    "visual_tokens": "visual tokens",
}


def report_of(
    document: EvaluationDocument, config: RunConfig, *, ggpo: Sequence[Mapping[str, Any]] = ()
) -> Report:
    """The report of an evaluation, with the curves of the metric records ``ggpo``."""
    methods = document.methods
    benchmarks = tuple(dict.fromkeys(score.dataset for method in methods for score in method.datasets))
    return Report(
        title=f"VimRAG: {config.name}",
        summary=f"{document.questions} unseen questions over {len(benchmarks)} benchmarks, the same for every method.",
        benchmarks=benchmarks,
        methods=tuple(_row(method) for method in methods),
        comparisons=tuple(_comparison(pair) for pair in document.comparisons),
        curves=(*ggpo_curves(ggpo), *spending_curves(methods)),
        counters=counter_table(methods),
        spending=spending_rows(document),
        reference=next((_title(row.against) for row in document.savings), ""),
        examples=tuple(_inline(example) for example in document.examples),
        drawing_style=CSS,
        facts=_facts(document, config),
    )


def _facts(document: EvaluationDocument, config: RunConfig) -> tuple[tuple[str, str], ...]:
    recipe = config.recipe
    ggpo, worlds = recipe.ggpo, recipe.worlds
    return (
        *_claims(document, config),
        ("recipe", recipe.name),
        ("worlds", f"{worlds.train} train, {worlds.val} val, {worlds.test} test"),
        ("updates", f"{ggpo.schedule.updates} of {ggpo.questions} x {ggpo.algorithm.group_size} rollouts"),
        ("algorithm", f"{ggpo.algorithm.name}, ZeRO-{ggpo.engine.zero_stage}, {ggpo.ranks} rank(s)"),
        ("graded by", ", ".join(sorted({judging.judge for judging in document.judging.values()}))),
        ("index", document.index),
        *((f"policy of {method.name}", ", ".join(method.policies)) for method in document.methods),
    )


def _claims(document: EvaluationDocument, config: RunConfig) -> tuple[tuple[str, str], ...]:
    """What was trained, by how much it moved, and what that means; nothing where training was not measured.

    Sampled answers, which are what training improves, are the declared measure where there are any; greedy ones stand beside.
    """
    pairs = {(pair.before, pair.after): pair for pair in document.comparisons}
    greedy, sampled = pairs.get(GREEDY_PAIR), pairs.get(SAMPLED_PAIR)
    declared = sampled or greedy
    if declared is None:
        return ()
    ggpo, invented = config.recipe.ggpo, config.recipe.model == "tiny"
    updates = f"{ggpo.schedule.updates} updates of {ggpo.questions} x {ggpo.algorithm.group_size} rollouts"
    what = "the tiny model from its cold start" if invented else f"{config.recipe.model} from its cold start"
    moved = f"{_points(declared)} on {declared.questions} unseen questions, "
    if sampled is None:
        moved += "greedy answers"
    else:
        moved += f"{SAMPLES} answers each at temperature {ggpo.engine.temperature:g} as in training"
    meaning = _MEANINGS.get(_comparison(declared).verdict, "no gain is shown: the interval holds zero")
    if sampled is not None and greedy is not None:
        moved += f"; greedy answers {_points(greedy)}"
        meaning += {"better": "; greedy answers gained too", "worse": "; greedy answers lost"}.get(
            _comparison(greedy).verdict, "; greedy answers: no difference is shown"
        )
    where = ", on invented worlds: nothing follows for real data" if invented else ""
    return (
        (TRAINED_FACT, f"{what}, by {ggpo.algorithm.name.upper()}, {updates}"),
        (MOVED_FACT, moved),
        (MEANING_FACT, f"{meaning}{where}"),
    )


def _points(pair: MethodComparison) -> str:
    difference = _comparison(pair).difference
    change, low, high = (
        "-" if share is None else f"{100 * share:+.1f}"
        for share in (difference.value, difference.low, difference.high)
    )
    return f"{change} points ({low} to {high})"


def spending_rows(document: EvaluationDocument) -> tuple[SpendingRow, ...]:
    """Tokens and repeated searches a method, beside the difference to the reference where there is one."""
    savings = {row.method: row for row in document.savings}
    rows = []
    for method in document.methods:
        if (spending := method.spending) is None:
            continue
        scored, saving = sum(score.scored for score in method.datasets), savings.get(method.name)
        rows.append(
            SpendingRow(
                name=_title(method.name),
                tokens=estimate(spending.tokens, scored),
                repeats=estimate(spending.repeats, scored),
                tokens_more=estimate(saving.tokens, saving.questions) if saving else None,
                repeats_more=estimate(saving.repeats, saving.questions) if saving else None,
            )
        )
    return tuple(rows)


def spending_curves(methods: Sequence[MethodScores]) -> tuple[Curve, ...]:
    """Tokens by call and repeated searches by search with their intervals; steps that few rollouts reach are left out."""
    kinds = (
        ("tokens_by_call", "Tokens of the n-th call", "call", "tokens"),
        ("repeats_by_search", "Share of the n-th searches that repeat an earlier one", "search", "share"),
    )
    curves = []
    for name, title, x_label, y_label in kinds:
        steps = {
            _title(method.name): [
                (float(step.step), step.estimate, step.low, step.high)
                for step in getattr(method.spending, name)
                if step.rollouts >= MIN_ROLLOUTS
            ]
            for method in methods
            if method.spending is not None
        }
        if lines := {label: points for label, points in steps.items() if len(points) > 1}:
            curves.append(Curve.banded(title, x_label, y_label, lines))
    return tuple(curves)


def counter_table(methods: Sequence[MethodScores]) -> CounterTable:
    """Means over datasets, each dataset counting the same."""

    def mean(values: Sequence[float]) -> float | None:
        known = [value for value in values if math.isfinite(value)]
        return sum(known) / len(known) if known else None

    rows = [
        (label, tuple(mean([s.means.get(name, math.nan) for s in method.datasets]) for method in methods))
        for name, label in COUNTERS.items()
    ]
    recalls = tuple(mean([score.gold_recall for score in method.datasets]) for method in methods)
    rows.append(("share of gold items retrieved", recalls))
    return CounterTable(methods=tuple(_title(method.name) for method in methods), rows=tuple(rows))


def estimate(interval: Interval, count: int) -> Estimate:
    """The interval as a report shows it: None for what is not known."""
    value, low, high = (
        number if math.isfinite(number) else None
        for number in (interval.estimate, interval.low, interval.high)
    )
    return Estimate(value=value, low=low, high=high, count=count)


def _row(method: MethodScores) -> MethodRow:
    cells = {score.dataset: estimate(score.accuracy, score.scored) for score in method.datasets}
    total = sum(score.scored for score in method.datasets)
    return MethodRow(
        name=_title(method.name),
        cells=cells,
        overall=estimate(method.overall, total),
        note=NOTES.get(method.name, ""),
    )


def _comparison(pair: MethodComparison) -> PairedDifference:
    return PairedDifference(
        before=_title(pair.before),
        after=_title(pair.after),
        difference=estimate(pair.difference, pair.questions),
        p_value=pair.p_value,
    )


def _inline(example: ReportExample) -> ReportExample:
    """With the drawing for a page of HTML, which needs no namespace."""
    return replace(example, drawing=example.drawing.replace(f' xmlns="{NAMESPACE}"', ""))


def _title(name: str) -> str:
    return TITLES.get(name, name)
