"""What the rollouts of a study are reduced to: shares, means and differences of its document."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple

from memory_graph.credit import segment_credits
from model.evaluation.evaluation import Evaluation, SeedComparison, compare, compare_seeds
from model.evaluation.statistics import Interval, bootstrap_macro_mean
from model.types import Trajectory
from orchestration.study.answers import COLD_START
from orchestration.study.document import ArmComparison, NoiseShare, SeedDifference

Runs = Sequence[list[Trajectory]]  # a run each; the cold start is one
REFERENCE = "gspo"  # whose final score the others are timed against
COUNTERS = ("repeated_searches", "dead_ends", "searches", "completion_tokens")


def noise_share(trajectories: Iterable[Trajectory]) -> NoiseShare:
    """The share of search steps in right rollouts that their answer does not rest on."""
    num_right = num_steps = num_noisy = 0
    for trajectory in trajectories:
        if trajectory.correct and trajectory.graph.answer is not None:
            searches = segment_credits(trajectory.graph, correct=True, gold=trajectory.task.gold)[:-1]
            num_right, num_steps = num_right + 1, num_steps + len(searches)
            num_noisy += sum(credit.pruned for credit in searches)
    return NoiseShare(
        right_rollouts=num_right,
        search_steps=num_steps,
        noise_share=num_noisy / num_steps if num_steps else None,
    )


def sampled_accuracy(trajectories: Iterable[Trajectory]) -> Interval:
    """Share of right answers drawn at the training temperature: the mean over datasets of the mean over questions.

    The interval redraws questions, each with all of its rollouts: rollouts of one question are no independent sample.
    """
    verdicts: dict[str, dict[str, list[float]]] = {}
    for trajectory in trajectories:
        if trajectory.correct is not None:
            by_question = verdicts.setdefault(trajectory.task.dataset, {})
            by_question.setdefault(trajectory.task.id, []).append(float(trajectory.correct))
    groups = [
        [sum(right) / len(right) for right in by_question.values()]
        for _, by_question in sorted(verdicts.items())
    ]
    return bootstrap_macro_mean(groups)


def reference_score(curves: Mapping[str, Sequence[Sequence[tuple[int, float]]]]) -> float:
    """Mean final score of the reference's runs; infinite without any."""
    final = [curve[-1][1] for curve in curves.get(REFERENCE, ())]
    return sum(final) / len(final) if final else math.inf


def compared_pairs(arms: Sequence[str]) -> list[tuple[str, str]]:
    """Every objective against the cold start, then against the reference."""
    against = [(REFERENCE, arm) for arm in arms if arm != REFERENCE and REFERENCE in arms]
    return [*((COLD_START, arm) for arm in arms), *against]


def arm_comparison(
    before: str,
    after: str,
    results: Mapping[str, Evaluation],
    greedy: Mapping[str, Runs],
    sampled: Mapping[str, Runs],
) -> ArmComparison:
    """``after`` against ``before`` on the unseen questions."""
    pair = compare(results[before].trajectories, results[after].trajectories)
    return ArmComparison(
        before=before,
        after=after,
        questions=pair.questions,
        difference=pair.difference,
        p_value=pair.p_value,
        greedy=_by_seed(greedy[before], greedy[after]),
        sampled=_by_seed(sampled[before], sampled[after]),
    )


def _by_seed(first: Runs, second: Runs) -> SeedDifference | None:
    """Differences run by run; None where nothing was answered."""
    if not first[0]:
        return None
    seeds = compare_seeds(first, second)
    return SeedDifference(by_seed=seeds.by_seed, difference=seeds.difference, line=seeds_line(seeds))


def counter_means(evaluation: Evaluation) -> dict[str, float]:
    """Mean of each counter over the rollouts."""
    counters = [trajectory.counters for trajectory in evaluation.trajectories]
    return {
        name: sum(getattr(counter, name) for counter in counters) / max(1, len(counters)) for name in COUNTERS
    }


def share_right(trajectories: Iterable[Trajectory]) -> float:
    """Of the rollouts with a verdict; nan without any."""
    verdicts = [trajectory.correct for trajectory in trajectories if trajectory.correct is not None]
    return sum(verdicts) / len(verdicts) if verdicts else math.nan


def seeds_line(seeds: SeedComparison, *, over: str = "") -> str:
    """``+4.2 points (+1.0 to +7.2 over runs and questions); by run +3.5, +4.9``; ``over`` says what else the interval is over."""
    value, low, high = (100 * number for number in astuple(seeds.difference))
    if not all(map(math.isfinite, (value, low, high))):
        return "nothing scored"
    over = over or ("runs and questions" if len(seeds.by_seed) > 1 else "questions")
    by_run = ", ".join(f"{100 * share:+.1f}" if math.isfinite(share) else "-" for share in seeds.by_seed)
    return f"{value:+.1f} points ({low:+.1f} to {high:+.1f} over {over}); by run {by_run}"
