"""The audit on a policy whose true gradient is known in closed form: exact, calibrated, and clear about what it cannot judge."""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from model.audit.audit import AuditSums, audit
from model.audit.candidates import CANDIDATES
from model.audit.gains import UNKNOWN, gain
from model.audit.judgement import judge, judge_categories
from model.audit.objectives import Objective, of_algorithm, trained
from model.audit.rollouts import Rollout, Weights, rollouts_of, truth, weighed
from model.config.algorithm import ALGORITHMS
from model.rl.advantage import advantages
from tests.model.audit.toy import (
    FIRST,
    RIGHT,
    SECOND,
    ToyGradients,
    every_pair,
    questions,
    rollout,
    score,
    true_gradient,
)

GSPO = trained(("gspo",))["gspo"]
TRUTH = Objective(name="truth", source="", weigh=lambda group: list(truth(group)))
EXACT = 1e-5


@functools.cache
def exact_sums() -> AuditSums:
    return audit(every_pair(copies=4), [GSPO, TRUTH], ToyGradients(), folds=4)


def by_hand(normalise: bool) -> np.ndarray:
    """Expected gradient of GSPO for groups of two: every pair of outcomes with its probability, by the equation."""
    outcomes = list(itertools.product(range(3), range(2)))
    total = np.zeros(9)
    for pair in itertools.product(outcomes, outcomes):
        probability = np.prod([FIRST[a] * SECOND[a][b] for a, b in pair])
        rewards = [float(RIGHT[outcome]) for outcome in pair]
        centred = np.array(rewards) - np.mean(rewards)
        if normalise and centred.any():
            centred = centred / (np.std(rewards) + 1e-6)
        for value, (a, b) in zip(centred, pair, strict=True):
            # two segments of one token each in two rollouts: denominator 4
            total += probability * value / 4 * (score(a, None) + score(a, b))
    return total


def test_the_measured_gradient_is_the_closed_form_of_expected_accuracy():
    sums = exact_sums()
    for measured, count in zip(sums.measured(), sums.counts(), strict=True):
        assert count == 16 * 16
        assert np.abs(measured.numpy() / count - true_gradient()).max() < EXACT


def test_the_gain_of_every_objective_is_exact():
    # in each fold the step is the expected one and the measurement the true gradient: the gain is their product, without error
    sums = exact_sums()
    verdicts, true = judge(sums), true_gradient()
    step = by_hand(normalise=True)
    assert verdicts["gspo"].gain.value == pytest.approx(true @ step / np.linalg.norm(step), abs=EXACT)
    assert verdicts["truth"].gain.value == pytest.approx(np.linalg.norm(true), abs=EXACT)
    assert verdicts["gspo"].gain.error == pytest.approx(0.0, abs=EXACT)
    signs = np.sign(np.round(step, 9))
    assert verdicts["gspo"].adam.value == pytest.approx(
        true @ signs / np.linalg.norm(signs), abs=1e-3
    )  # epsilon
    assert verdicts["gspo"].against.value == 0.0


def test_a_gain_against_ggpo_is_the_difference_of_the_two_and_unknown_where_ggpo_was_not_judged():
    found = questions(random.Random(5), 40, 6)
    sums = audit(found, [GSPO, of_algorithm("ggpo", ALGORITHMS["ggpo"]), TRUTH], ToyGradients(), folds=4)
    verdicts = judge(sums)
    assert verdicts["truth"].against_ggpo.value == pytest.approx(
        verdicts["truth"].gain.value - verdicts["ggpo"].gain.value
    )
    assert verdicts["ggpo"].against_ggpo.value == verdicts["ggpo"].against_ggpo.error == 0.0
    assert judge(audit(found, [GSPO, TRUTH], ToyGradients(), folds=4))["truth"].against_ggpo == UNKNOWN


def test_half_answers_in_training_are_the_candidate_that_was_judged():
    group = rollouts_of([rollout("q", 0, 0), rollout("q", 1, 1), rollout("q", 1, 0), rollout("q", 2, 0)])
    trained_with = of_algorithm("half", replace(ALGORITHMS["ggpo"], answer_weight=0.5))
    for own, judged in zip(trained_with.weigh(group), CANDIDATES["answer_half"].weigh(group), strict=True):
        assert [pytest.approx(row) for row in judged] == list(own)


def test_questions_that_are_all_right_or_all_wrong_each_are_refused_in_words():
    outcomes = [(1, 0), (2, 0)]
    same = [rollout(f"q{number}", *outcomes[number % 2]) for number in range(8) for _ in range(2)]
    with pytest.raises(ValueError, match="all rollouts are alike within a question"):
        audit(same, [GSPO], ToyGradients(), folds=4)


def test_the_parts_of_all_categories_add_up_to_gspos_gain():
    sums = audit(questions(random.Random(0), 60, 6), [GSPO], ToyGradients(), folds=5)
    parts = judge_categories(sums)
    assert sum(part.part.value for part in parts.values()) == pytest.approx(
        judge(sums)["gspo"].gain.value, abs=1e-6
    )
    assert sum(part.share for part in parts.values()) == pytest.approx(1.0)


@functools.cache
def gspo_weights(group: tuple[Rollout, ...]) -> tuple[Weights, ...]:
    return tuple(GSPO.weigh(group))


def test_a_mask_at_random_does_not_win_more_often_than_chance_allows():
    def mask(name: str) -> Objective:
        def weigh(group: Sequence[Rollout]) -> list[Weights]:
            kept = [
                {
                    step: random.Random(f"{name}/{r.trajectory.task.id}/{r.number}/{step}").random() < 0.7
                    for step in (0, 1)
                }
                for r in group
            ]
            return [
                tuple(
                    tuple(value * of_rollout[step.segment] for value in row)
                    for step, row in zip(r.steps, rows, strict=True)
                )
                for r, rows, of_rollout in zip(group, gspo_weights(tuple(group)), kept, strict=True)
            ]

        return Objective(name=name, source="", weigh=weigh)

    wins = 0
    for world in range(10):
        masks = [mask(f"{world}-{number}") for number in range(10)]
        sums = audit(
            questions(random.Random(world), 48, 4), [GSPO, *masks], ToyGradients(), folds=8, seed=world
        )
        verdicts = judge(sums)
        wins += sum(verdicts[each.name].against.wins for each in masks)
    assert wins <= 5


def test_the_interval_holds_the_true_gain_about_as_often_as_it_says():
    # the step of one fold of 8 questions is random; what it gains in expectation is found from many of them
    gains, held = [], 0
    intervals = []
    for world in range(30):
        sums = audit(
            questions(random.Random(f"c{world}"), 48, 4), [GSPO], ToyGradients(), folds=8, seed=world
        )
        verdict = judge(sums)["gspo"].gain
        steps = [g / g.norm() for g in sums.objective("gspo") if g.norm() > 0]
        gains += [float(torch.as_tensor(true_gradient()).float() @ step) for step in steps]
        intervals.append(verdict)
    expected = float(np.mean(gains))
    held = sum(each.low <= expected <= each.high for each in intervals)
    assert held >= 25  # of 30, at 95 %: fewer has a chance below 1 %


def test_an_update_of_the_trainer_is_what_is_judged():
    # the weights of each token are the trainer's: w A / |y| of Eq. 12, for GGPO without the pruned segments
    group = [rollout("q", 0, 0), rollout("q", 1, 1), rollout("q", 1, 0), rollout("q", 2, 0)]
    judged = rollouts_of(group)
    values = advantages(["q"] * 4, [each.reward for each in group], algorithm=ALGORITHMS["ggpo"])
    of_ggpo = of_algorithm("ggpo", ALGORITHMS["ggpo"]).weigh(judged)
    # rollout 0 is right and its answer rests on the root: its search is pruned; 8 segments in all
    assert of_ggpo[0] == ((0.0,), (pytest.approx(values[0] / 8),))
    assert of_ggpo[3] == ((pytest.approx(values[3] / 8),), (pytest.approx(values[3] / 8),))


def test_groups_without_spread_are_counted_and_measure_nothing():
    alike = [rollout("alike", 0, 0), rollout("alike", 1, 1)]
    sums = audit([*questions(random.Random(1), 20, 6), *alike], [GSPO], ToyGradients(), folds=4)
    assert sums.num_questions == 21
    assert sums.with_spread < 21
    assert sum(sums.counts()) == 21


@pytest.mark.parametrize(("verdict", "word"), [(True, "right"), (False, "wrong")])
def test_rollouts_that_are_all_alike_are_refused_in_words(verdict: bool, word: str):
    outcome = (1, 0) if verdict else (2, 0)
    same = [rollout(f"q{number}", *outcome) for number in range(8) for _ in range(2)]
    with pytest.raises(ValueError, match=f"all rollouts are {word}"):
        audit(same, [GSPO], ToyGradients(), folds=4)


def test_a_mask_that_leaves_nothing_is_refused_in_words():
    empty = Objective(name="empty", source="", weigh=lambda group: [weighed(r, lambda _: 0.0) for r in group])
    with pytest.raises(ValueError, match="'empty' weighs no token"):
        audit(questions(random.Random(2), 20, 6), [GSPO, empty], ToyGradients(), folds=4)


def test_weights_of_the_wrong_shape_or_that_are_no_numbers_are_refused_with_the_place():
    short = Objective(name="short", source="", weigh=lambda group: [((0.0,),) for _ in group])
    with pytest.raises(ValueError, match=r"'short', question 'q\d+', rollout 0: one row a step"):
        audit(questions(random.Random(2), 20, 6), [GSPO, short], ToyGradients(), folds=4)
    lost = Objective(
        name="lost", source="", weigh=lambda group: [weighed(r, lambda _: float("nan")) for r in group]
    )
    with pytest.raises(ValueError, match="not finite"):
        audit(questions(random.Random(2), 20, 6), [GSPO, lost], ToyGradients(), folds=4)


def test_too_few_questions_for_the_folds_are_refused():
    with pytest.raises(ValueError, match="too few for 8 folds"):
        audit(questions(random.Random(3), 10, 4), [GSPO], ToyGradients(), folds=8)


def test_a_gain_that_only_two_folds_can_measure_is_unknown():
    assert gain(np.ones((4, 4)), [1, 1, 0, 0]) == UNKNOWN


def test_log_probabilities_of_other_weights_are_refused():
    moved = [
        replace(
            each,
            segments=tuple(
                replace(
                    s, calls=tuple(replace(c, logprobs=tuple(v - 0.3 for v in c.logprobs)) for c in s.calls)
                )
                for s in each.segments
            ),
        )
        for each in questions(random.Random(4), 20, 6)
    ]
    with pytest.raises(ValueError, match="other pictures, another temperature or other weights"):
        audit(moved, [GSPO], ToyGradients(), folds=4)
