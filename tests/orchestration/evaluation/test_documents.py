"""The evaluation document is read as it was written, in its older form too; what is drawn of it says how sure it is."""

import json
import math
from dataclasses import replace

import pytest

from model.evaluation.evaluation import DatasetScore
from model.evaluation.spending import Spending, StepMean
from model.evaluation.statistics import UNKNOWN, Interval
from orchestration.evaluation.document import EvaluationDocument, MethodComparison, MethodScores
from orchestration.evaluation.report_document import counter_table, estimate, report_of, spending_curves
from orchestration.launch.run_config import RunConfig
from orchestration.recipes.miniature import quickstart

HALF = Interval(0.5, 0.25, 0.75)
SCORE = DatasetScore(
    dataset="squad",
    rollouts=4,
    scored=2,
    failed=1,
    correct=1,
    accuracy=HALF,
    outcomes={"answered": 3, "failed": 1},
    means={"searches": 1.5, "visual_tokens": math.nan},
    gold_recall=0.75,
    tokens_per_correct=math.inf,
)
SPENDING = Spending(
    tokens=HALF,
    searches=HALF,
    repeats=UNKNOWN,
    tokens_by_call=(
        StepMean(0.5, 0.25, 0.75, 1, 9),
        StepMean(0.5, 0.25, 0.75, 2, 9),
        StepMean(1, 1, 1, 3, 4),
    ),
    repeats_by_search=(StepMean(0.5, 0.25, 0.75, 1, 9),),
)
METHOD = MethodScores(name="react", overall=HALF, datasets=(SCORE,), policies=("abc",), spending=SPENDING)
DOCUMENT = EvaluationDocument(run="r", index="i", questions=4, methods=(METHOD,), comparisons=())


def test_a_document_is_read_as_it_was_written_and_what_is_unknown_is_null():
    data = DOCUMENT.to_json()
    [method] = json.loads(data)["methods"]
    assert method["spending"]["repeats"] == {"estimate": None, "low": None, "high": None}
    assert method["datasets"][0]["tokens_per_correct"] is None
    again = EvaluationDocument.from_json(data)
    assert math.isnan(again.methods[0].datasets[0].means["visual_tokens"])
    assert again.to_json() == data


def test_a_document_of_version_1_is_read_with_its_columns_in_groups():
    row = {
        **{"dataset": "squad", "rollouts": 4, "scored": 2, "failed": 1, "correct": 1},
        **{"accuracy_estimate": 0.5, "accuracy_low": 0.25, "accuracy_high": 0.75},
        **{"gold_recall": 0.75, "tokens_per_correct": None, "outcome_answered": 3, "outcome_failed": 1},
        **{"mean_searches": 1.5, "mean_visual_tokens": None},
    }
    interval = {"estimate": 0.5, "low": 0.25, "high": 0.75}
    spending = {
        **{"tokens": interval, "searches": interval, "repeats": dict.fromkeys(interval)},
        "tokens_by_call": [
            {"step": 1, "rollouts": 9, **interval},
            {"step": 2, "rollouts": 9, **interval},
            {"step": 3, "rollouts": 4, "estimate": 1, "low": 1, "high": 1},
        ],
        "repeats_by_search": [{"step": 1, "rollouts": 9, **interval}],
    }
    method = {"name": "react", "overall": interval, "datasets": [row], "policies": ["abc"]}
    old = {"schema_version": 1, "run": "r", "index": "i", "questions": 4, "comparisons": [], "examples": []}
    old |= {"methods": [{**method, "spending": spending}], "judging": {"react": {"judge": "j", "tally": {}}}}
    read = EvaluationDocument.from_json(json.dumps(old).encode())
    assert (read.schema_version, read.judging["react"].tally.asked) == (2, 0)
    assert json.loads(read.to_json())["methods"] == json.loads(DOCUMENT.to_json())["methods"]
    del old["methods"][0]["spending"], old["judging"]
    assert EvaluationDocument.from_json(json.dumps(old).encode()).methods[0].spending is None


@pytest.mark.parametrize("data", [b"{", b"[]", b'{"run": "r"}'])
def test_what_is_no_document_is_refused(data: bytes):
    with pytest.raises(ValueError):
        EvaluationDocument.from_json(data)


def test_a_step_is_drawn_with_its_interval_unless_few_reach_it():
    (curve,) = spending_curves([METHOD])
    assert curve.series == (("ReAct", ((1.0, 0.5), (2.0, 0.5))),)
    assert curve.bands == (((1, 0.25, 0.75), (2, 0.25, 0.75)),)


def test_what_is_not_known_is_none_in_a_report():
    assert estimate(UNKNOWN, 3).value is None
    rows = dict(counter_table([METHOD]).rows)
    assert (rows["searches"], rows["visual tokens"]) == ((1.5,), (None,))
    assert rows["share of gold items retrieved"] == (0.75,)


@pytest.mark.parametrize(
    ("low", "high", "means"),
    [(-0.08, 0.03, "no gain is shown"), (0.01, 0.09, "another seed was not run"), (-0.09, -0.01, "a loss")],
)
def test_a_report_says_what_was_trained_by_how_much_it_moved_and_what_that_means(
    low: float, high: float, means: str
):
    comparison = MethodComparison(
        before="cold_start",
        after="ggpo",
        questions=144,
        difference=Interval((low + high) / 2, low, high),
        p_value=0.5,
        datasets={},
    )
    document = replace(DOCUMENT, comparisons=(comparison,))
    facts = dict(report_of(document, RunConfig(root="r", name="quickstart", recipe=quickstart())).facts)
    assert (
        facts["what was trained"]
        == "the tiny model from its cold start, by GGPO, 10 updates of 24 x 8 rollouts"
    )
    assert facts["it moved by"].endswith(
        f"({100 * low:+.1f} to {100 * high:+.1f}) on 144 unseen questions, greedy answers"
    )
    assert means in facts["what that means"] and "invented" in facts["what that means"]


@pytest.mark.parametrize(
    ("greedy", "beside"),
    [
        ((-0.09, -0.01), "; greedy answers lost"),
        ((-0.05, 0.05), "; greedy answers: no difference is shown"),
        ((0.01, 0.09), "; greedy answers gained too"),
    ],
)
def test_sampled_answers_are_the_declared_measure_and_greedy_ones_stand_beside_them(
    greedy: tuple[float, float], beside: str
):
    def pair(before: str, after: str, low: float, high: float) -> MethodComparison:
        return MethodComparison(
            before=before,
            after=after,
            questions=144,
            difference=Interval((low + high) / 2, low, high),
            p_value=0.5,
            datasets={},
        )

    pairs = (pair("cold_start", "ggpo", *greedy), pair("cold_start_sampled", "ggpo_sampled", 0.02, 0.1))
    document = replace(DOCUMENT, comparisons=pairs)
    facts = dict(report_of(document, RunConfig(root="r", name="quickstart", recipe=quickstart())).facts)
    assert facts["it moved by"].startswith(
        "+6.0 points (+2.0 to +10.0) on 144 unseen questions, 2 answers each at temperature 1 as in training; "
        "greedy answers "
    )
    assert facts["what that means"].startswith("a gain beyond the chance of the questions")
    assert beside in facts["what that means"]


def test_where_training_was_not_measured_nothing_is_claimed():
    facts = dict(report_of(DOCUMENT, RunConfig(root="r", name="policies", recipe=quickstart())).facts)
    assert "what was trained" not in facts
