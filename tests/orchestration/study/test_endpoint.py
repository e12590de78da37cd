"""The primary endpoint by hand, and the study that was written down before its first run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestration.recipes.miniature import READABLE, searching
from orchestration.study.endpoint import compare_areas, compare_online, question_areas
from orchestration.study.options import runs
from orchestration.study.preregistered import chains, confirmation, onset, preregistered


def curve(*shares: float) -> dict[int, dict[tuple[str, str], float]]:
    """One question at updates 0, 10 and 20."""
    return {10 * place: {("d", "q"): share} for place, share in enumerate(shares)}


def test_the_area_of_a_question_is_the_mean_height_of_its_curve():
    # trapezoids: (0 + .5) / 2 and (.5 + 1) / 2, each over half of the updates
    assert question_areas(curve(0, 0.5, 1)) == {("d", "q"): pytest.approx(0.5)}


def test_a_question_that_was_not_scored_everywhere_has_no_area():
    assert question_areas({**curve(0, 0.5), 20: {}}) == {}


def test_runs_are_paired_by_seed_and_question():
    found = compare_areas([curve(0, 0, 0), curve(0, 0.5, 0.5)], [curve(0, 0.5, 1), curve(0, 0.5, 0.5)])
    assert found.by_seed == pytest.approx((0.5, 0.0))
    assert found.difference.estimate == pytest.approx(0.25)
    with pytest.raises(ValueError):
        compare_areas([curve(0, 1)], [])


def test_the_study_is_the_one_that_was_written_down():
    # docs/decisions/0027: a change here is another study
    study = preregistered(Path("/nowhere"))
    recipe = study.recipe("ggpo", 3)
    ggpo = recipe.ggpo
    assert (ggpo.questions, ggpo.algorithm.group_size, ggpo.schedule.updates, ggpo.schedule.mini_batches) == (
        16,
        8,
        20,
        4,
    )
    assert (ggpo.algorithm.clip_low, ggpo.algorithm.clip_high) == (0.02, 0.03)
    assert (ggpo.schedule.learning_rate, ggpo.schedule.warmup_steps, ggpo.schedule.decay) == (2e-4, 3, True)
    assert (ggpo.reward.judge, ggpo.reward.format) == (0.9, 0.1)
    assert (recipe.limits, recipe.datasets) == ("searching", READABLE)
    assert (study.seeds, study.samples, study.temperature, study.curve_every) == (4, 4, 1.0, 10)
    assert ggpo.retention.every == ggpo.checkpoint_every == 10  # the weights of update 10 stay
    study.require_checkpoint()
    with pytest.raises(ValueError, match="no checkpoint 'elsewhere' ships"):
        preregistered(Path("/nowhere"), checkpoint="elsewhere").require_checkpoint()


def test_its_cold_start_searches_noisily_sees_errors_and_has_a_gate():
    recipe = searching()
    start = recipe.cold_start
    assert (start.noise, start.repair, start.most_refused) == (0.85, 0.1, 0.02)
    assert (start.shipped, start.further) == ("miniature", True)
    assert (recipe.limits, recipe.datasets) == ("searching", READABLE)


def test_the_random_mask_of_every_seed_is_another_one():
    study = preregistered(Path("/nowhere"))
    assert [study.recipe("prune_at_random", seed).ggpo.algorithm.seed for seed in range(3)] == [0, 1, 2]


def test_while_training_questions_are_paired_at_their_update_and_the_interval_is_over_seeds():
    gspo = [{1: {("d", "q"): 0.5, ("d", "r"): 0.0}, 2: {("d", "s"): 0.25}}, {1: {("d", "t"): 0.0}}]
    ggpo = [{1: {("d", "q"): 1.0, ("d", "r"): 0.0}, 2: {("d", "s"): 0.5}}, {1: {("d", "t"): 0.75}}]
    found = compare_online(gspo, ggpo)
    assert found.by_seed == pytest.approx((0.25, 0.75))  # (.5 + 0 + .25) / 3, .75
    # Student with one degree of freedom: 12.706 times .25
    assert (found.difference.estimate, found.difference.low) == pytest.approx(
        (0.5, 0.5 - 12.706 * 0.25), abs=1e-3
    )
    alone = compare_online(gspo[:1], ggpo[:1]).difference
    assert alone.estimate == pytest.approx(0.25)
    assert alone.low != alone.low


def test_the_study_of_the_onset_is_the_one_that_was_written_down():
    # docs/decisions/0037: a change here is another study
    study, first = onset(Path("/nowhere")), preregistered(Path("/nowhere"))
    assert study.arms == ("gspo", "ggpo", "ggpo_half_answers")
    assert [run.seed for run in runs(study)] == [seed for seed in (4, 5, 6, 7) for _ in range(3)]
    ours, theirs = study.recipe("ggpo", 5).ggpo, first.recipe("ggpo", 3).ggpo
    assert (ours.schedule.updates, study.curve_every) == (10, 10)
    assert [ours.schedule.rate(step) for step in range(40)] == [
        theirs.schedule.rate(step) for step in range(40)
    ]
    assert study.recipe("ggpo_half_answers", 4).ggpo.algorithm.answer_weight == 0.5
    same = ("questions", "group_size", "mini_batches", "clips", "limits", "datasets", "reward", "worlds")
    assert all(getattr(study, name) == getattr(first, name) for name in same)
    with pytest.raises(ValueError, match="no run 'ggpo-3'; its runs are gspo-4, ggpo-4"):
        onset(Path("/nowhere"), only=("ggpo-4", "ggpo-3"))


def test_the_confirmation_is_the_onset_with_other_seeds_and_two_objectives():
    # docs/decisions/0039: a change here is another study
    study, before = confirmation(Path("/nowhere")), onset(Path("/nowhere"))
    assert [run.name for run in runs(study)] == [
        f"{arm}-{seed}" for seed in range(8, 16) for arm in ("gspo", "ggpo")
    ]
    looked_at = {run.seed for run in (*runs(before), *runs(preregistered(Path("/nowhere"))))}
    assert not looked_at & {run.seed for run in runs(study)}
    assert replace(study, arms=before.arms, seeds=before.seeds, only=before.only) == before
    with pytest.raises(ValueError, match="no run 'ggpo-7'; its runs are gspo-8, ggpo-8"):
        confirmation(Path("/nowhere"), only=("ggpo-7",))


def test_the_study_of_chains_is_the_confirmation_on_longer_questions():
    # docs/decisions/0040: a change here is another study
    study, before = chains(Path("/nowhere")), confirmation(Path("/nowhere"))
    assert [run.name for run in runs(study)] == [
        f"{arm}-{seed}" for seed in range(16, 20) for arm in ("gspo", "ggpo")
    ]
    assert (study.checkpoint, study.datasets, study.worlds.hops) == ("chains", ("hotpotqa",), 4)
    same = (
        "arms",
        "updates",
        "decay_updates",
        "questions",
        "group_size",
        "mini_batches",
        "clips",
        "reward",
        "limits",
    )
    assert all(getattr(study, name) == getattr(before, name) for name in same)
    with pytest.raises(ValueError, match="no run 'ggpo-8'"):
        chains(Path("/nowhere"), only=("ggpo-8",))
