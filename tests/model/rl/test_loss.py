"""The objective, by hand, by law, and against a reference written in NumPy."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.config.algorithm import Algorithm, Denominator, Ratio
from model.rl.advantage import advantages
from model.rl.loss import LossInputs, divergences, likelihood_loss, policy_loss, segment_ratios
from model.rl.segments import SampleKey, TrainingSample, segment_weights
from tests.model.rl.loss_reference import KeptSegment, objective

# Away from the clip's edges, where the derivative of the minimum has two values.
DIFFERENCES = st.floats(-0.6, 0.6).filter(
    lambda d: min(abs(math.exp(d) - 0.8), abs(math.exp(d) - 1.2)) > 1e-3
)
SEGMENTS = st.lists(
    st.tuples(
        st.lists(st.tuples(DIFFERENCES, st.floats(-5, -0.1)), min_size=1, max_size=6),
        st.floats(-2, 2),
        st.floats(0.01, 1),
    ),
    min_size=1,
    max_size=5,
)


def kept(rows: list) -> list[KeptSegment]:
    return [
        KeptSegment(
            new=tuple(old + difference for difference, old in tokens),
            old=tuple(old for _, old in tokens),
            advantage=advantage,
            weight=weight,
        )
        for tokens, advantage, weight in rows
    ]


def loss_and_gradient(segments: list[KeptSegment], algorithm: Algorithm) -> tuple[float, list[float]]:
    new_T = torch.tensor([v for s in segments for v in s.new], dtype=torch.float64, requires_grad=True)
    given = LossInputs(
        torch.tensor([v for s in segments for v in s.old], dtype=torch.float64),
        torch.tensor([i for i, s in enumerate(segments) for _ in s.new]),
        torch.tensor([s.advantage for s in segments], dtype=torch.float64),
        torch.tensor([s.weight for s in segments], dtype=torch.float64),
    )
    found = policy_loss(new_T, given, algorithm=algorithm)
    found.value.backward()
    assert new_T.grad is not None
    return float(found.value.detach()), new_T.grad.tolist()


def wide(ratio: Ratio = Ratio.SEQUENCE) -> Algorithm:
    return Algorithm(ratio=ratio, clip_low=0.2, clip_high=0.2)


def test_ratio_of_a_segment_is_the_geometric_mean_of_its_token_ratios():
    # token ratios 2 and 8 -> sqrt(16) = 4; the other segment is untouched
    log_ratios_T = torch.tensor([math.log(2), math.log(8), 0.0])
    ratios_S = segment_ratios(log_ratios_T, torch.tensor([0, 0, 1]), num_segments=2)
    assert ratios_S.tolist() == pytest.approx([4.0, 1.0])


def test_two_segments_by_hand():
    # first: ratio e^0.1, advantage 1, weight 1/4: -e^0.1 / 4, each of its two tokens takes -e^0.1 / 8
    # second: ratio e^0.3 = 1.35 is held at 1.2: -1.2 / 4 and no gradient
    segments = [
        KeptSegment(new=(-1.0, -1.0), old=(-1.2, -1.0), advantage=1.0, weight=0.25),
        KeptSegment(new=(-0.7,), old=(-1.0,), advantage=1.0, weight=0.25),
    ]
    value, gradient = loss_and_gradient(segments, wide())
    assert value == pytest.approx(-(math.exp(0.1) + 1.2) / 4)
    assert gradient == pytest.approx([-math.exp(0.1) / 8, -math.exp(0.1) / 8, 0.0])


def test_a_negative_advantage_is_never_held_from_above():
    # ratio e^0.5 = 1.65 beyond the clip, advantage -1: the minimum takes the unclipped -1.65
    value, gradient = loss_and_gradient(
        [KeptSegment(new=(-0.5,), old=(-1.0,), advantage=-1.0, weight=1.0)], wide()
    )
    assert value == pytest.approx(math.exp(0.5))
    assert gradient == pytest.approx([math.exp(0.5)])


def test_the_clip_counts_segments_for_sequences_and_tokens_for_tokens():
    log_ratios_T = torch.tensor([0.5, 0.5, 0.0])
    given = LossInputs(torch.zeros(3), torch.tensor([0, 0, 1]), torch.ones(2), torch.ones(2))
    assert float(policy_loss(log_ratios_T, given, algorithm=wide()).clipped) == 1
    assert float(policy_loss(log_ratios_T, given, algorithm=wide(Ratio.TOKEN)).clipped) == 2


@pytest.mark.parametrize("ratio", list(Ratio))
@given(rows=SEGMENTS)
@settings(deadline=None, max_examples=60)
def test_value_and_gradient_equal_the_numpy_reference(ratio: Ratio, rows: list):
    segments = kept(rows)
    means = [sum(n - o for n, o in zip(s.new, s.old, strict=True)) / len(s.new) for s in segments]
    if ratio is not Ratio.TOKEN and any(
        min(abs(math.exp(m) - 0.8), abs(math.exp(m) - 1.2)) < 1e-6 for m in means
    ):
        return
    value, gradient = loss_and_gradient(segments, wide(ratio))
    expected = objective(segments, ratio=str(ratio), low=0.2, high=0.2)
    assert value == pytest.approx(expected.loss, abs=1e-12)
    assert gradient == pytest.approx([v for s in expected.gradient for v in s], abs=1e-12)


@given(rows=SEGMENTS)
@settings(deadline=None, max_examples=30)
def test_gspo_token_has_the_value_and_gradient_of_gspo(rows: list):
    segments = kept(rows)
    value, gradient = loss_and_gradient(segments, wide())
    token_value, token_gradient = loss_and_gradient(segments, wide(Ratio.GSPO_TOKEN))
    assert token_value == pytest.approx(value, abs=1e-12)
    assert token_gradient == pytest.approx(gradient, abs=1e-12)


@given(rows=SEGMENTS, data=st.data())
@settings(deadline=None, max_examples=40)
def test_any_split_into_micro_batches_adds_up_to_the_whole(rows: list, data: st.DataObject):
    segments = kept(rows)
    cut = data.draw(st.integers(1, len(segments)))
    value, gradient = loss_and_gradient(segments, wide())
    parts = [loss_and_gradient(part, wide()) for part in (segments[:cut], segments[cut:]) if part]
    assert sum(part[0] for part in parts) == pytest.approx(value, abs=1e-12)
    assert [g for part in parts for g in part[1]] == pytest.approx(gradient, abs=1e-12)


def test_pruning_one_segment_changes_neither_ratio_nor_gradient_of_another():
    # the mask is no loss mask: lengths of kept segments stay as they are
    first = KeptSegment(new=(-1.0, -2.0, -1.5), old=(-1.1, -1.9, -1.4), advantage=1.0, weight=0.5)
    second = KeptSegment(new=(-0.5, -0.6), old=(-0.55, -0.5), advantage=1.0, weight=0.5)
    _, both = loss_and_gradient([first, second], wide())
    _, alone = loss_and_gradient([first], wide())
    assert both[:3] == alone


def test_at_equal_policies_the_gradient_of_a_segment_is_shared_by_its_own_tokens():
    # lengths 3 and 50, weights 1: -A/3 on each of 3 tokens, -A/50 on each of 50
    segments = [
        KeptSegment(new=(-1.0,) * 3, old=(-1.0,) * 3, advantage=2.0, weight=1.0),
        KeptSegment(new=(-1.0,) * 50, old=(-1.0,) * 50, advantage=-1.0, weight=1.0),
    ]
    _, gradient = loss_and_gradient(segments, Algorithm())
    assert gradient == pytest.approx([-2 / 3] * 3 + [1 / 50] * 50)


@pytest.mark.parametrize(
    ("denominator", "unbiased"), [(Denominator.ROLLOUTS, True), (Denominator.ALL, False)]
)
def test_a_policy_that_chooses_when_to_stop_is_estimated_without_bias_per_rollout_only(
    denominator: Denominator, unbiased: bool
):
    # Each segment is one token: stop (probability p) or go on (q), at most two. Rewards: stop at once 1, stop then 0,
    # never 1/2. J = p + q^2 / 2, dJ/dp = 1 - q = p, and by the logit dJ = p * p q. A baseline that contains the rollout
    # itself halves the estimate of a group of two. Eq. 12 divides by the number of segments, which the policy chooses.
    p = 0.3
    q = 1 - p
    paths = [((True,), 1.0), ((False, True), 0.0), ((False, False), 0.5)]
    probability = [math.prod(p if stop else q for stop in path) for path, _ in paths]
    algorithm = Algorithm(normalise_std=False, denominator=denominator)
    expected = 0.0
    for (first, chance), (second, other) in itertools.product(zip(paths, probability, strict=True), repeat=2):
        expected += chance * other * bandit_gradient([first, second], p, algorithm)
    assert (expected == pytest.approx(0.5 * p * p * q, abs=1e-9)) is unbiased


def bandit_gradient(rollouts: list, p: float, algorithm: Algorithm) -> float:
    logit = torch.tensor(math.log(p / (1 - p)), dtype=torch.float64, requires_grad=True)
    worths = advantages(["q", "q"], [reward for _, reward in rollouts], algorithm=algorithm)
    steps = [
        (SampleKey("q", number, index), stop, worth)
        for number, ((path, _), worth) in enumerate(zip(rollouts, worths, strict=True))
        for index, stop in enumerate(path)
    ]
    samples = [
        TrainingSample(key=key, token_ids=(0, 0), loss_positions=(1,), old_logprobs=()) for key, _, _ in steps
    ]
    weights = segment_weights(samples, denominator=algorithm.denominator)
    new_T = torch.stack([torch.nn.functional.logsigmoid(logit if stop else -logit) for _, stop, _ in steps])
    given = LossInputs(
        new_T.detach(),
        torch.arange(len(steps)),
        torch.tensor([worth for _, _, worth in steps], dtype=torch.float64),
        torch.tensor([weights[key] for key, _, _ in steps], dtype=torch.float64),
    )
    policy_loss(new_T, given, algorithm=algorithm).value.backward()
    assert logit.grad is not None
    return -float(logit.grad)


def test_an_empty_micro_batch_gives_zero_and_can_be_differentiated():
    nothing_T = torch.zeros(0, requires_grad=True)
    empty = torch.zeros(0)
    given = LossInputs(empty, torch.zeros(0, dtype=torch.long), empty, empty)
    found = policy_loss(nothing_T, given, algorithm=wide())
    found.value.backward()
    assert float(found.value.detach()) == 0.0


def test_divergence_is_zero_for_equal_policies_and_enters_with_its_coefficient():
    assert divergences(torch.tensor([-1.0]), torch.tensor([-1.0])).tolist() == [0.0]
    # d = reference - policy = ln 2: 2 - ln 2 - 1; advantage 0 leaves only the divergence
    algorithm = Algorithm(kl_coefficient=0.5)
    reference_T = torch.tensor([-1.0 + math.log(2)])
    given = LossInputs(torch.tensor([-1.0]), torch.tensor([0]), torch.zeros(1), torch.ones(1), reference_T)
    found = policy_loss(torch.tensor([-1.0]), given, algorithm=algorithm)
    assert float(found.value) == pytest.approx(0.5 * (1 - math.log(2)))


def test_a_divergence_without_reference_is_refused():
    one = torch.ones(1)
    with pytest.raises(ValueError, match="reference"):
        policy_loss(
            one, LossInputs(one, torch.tensor([0]), one, one), algorithm=Algorithm(kl_coefficient=0.1)
        )


def test_a_hopeless_log_ratio_stays_finite():
    far_T = torch.tensor([-500.0, 0.0], requires_grad=True)
    given = LossInputs(torch.zeros(2), torch.tensor([0, 1]), torch.ones(2), torch.ones(2))
    found = policy_loss(far_T, given, algorithm=wide(Ratio.TOKEN))
    found.value.backward()
    assert far_T.grad is not None and bool(torch.isfinite(far_T.grad).all())


def test_likelihood_loss_divides_by_the_tokens_of_the_whole_update():
    assert float(likelihood_loss(torch.tensor([-1.0, -3.0]), num_tokens=8)) == 0.5
