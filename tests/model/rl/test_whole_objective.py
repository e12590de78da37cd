"""Every option of the objective against NumPy: from rewards to the gradient by every logit, and on to every weight."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memory_graph.credit import Credit, PruneReason
from model.config.algorithm import Algorithm, Baseline, Denominator, Pruning, Ratio
from model.config.engine import EngineConfig
from model.config.schedule import Schedule
from model.rl.advantage import advantages
from model.rl.loss import LossInputs, policy_loss
from model.rl.segments import SampleKey, TrainingSample, segment_weights, training_samples
from model.training.logprobs import TokenLogprobs
from model.training.trainer import Trainer, trainable
from model.types import Trajectory
from tests.model.rl import objective_reference as reference
from tests.model.scene import Pictures, Setup, group, policy, sampled, trainer
from tests.model.training.test_trainer import assert_same, plain_logits

VOCABULARY = 4
ALGORITHMS = st.builds(
    Algorithm,
    ratio=st.sampled_from(Ratio),
    clip_low=st.sampled_from([0.1, 0.2]),
    clip_high=st.sampled_from([0.15, 0.3]),
    denominator=st.sampled_from(Denominator),
    baseline=st.sampled_from(Baseline),
    normalise_std=st.booleans(),
    std_epsilon=st.sampled_from([1e-6, 0.1]),
    std_floor=st.sampled_from([0.0, 0.05, 0.4]),
    kl_coefficient=st.sampled_from([0.0, 0.3]),
)


def options(algorithm: Algorithm) -> reference.Options:
    return reference.Options(
        ratio=str(algorithm.ratio),
        low=algorithm.clip_low,
        high=algorithm.clip_high,
        denominator=str(algorithm.denominator),
        baseline=str(algorithm.baseline),
        normalise_std=algorithm.normalise_std,
        std_epsilon=algorithm.std_epsilon,
        std_floor=algorithm.std_floor,
        kl=algorithm.kl_coefficient,
    )


@st.composite
def updates(draw: st.DrawFn) -> list[reference.Scored]:
    """Rollouts of one to three questions with random logits; ratios within about e^0.7 of one."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def segment(length: int, pruned: bool) -> reference.SegmentLogits:
        logits = rng.normal(size=(length, VOCABULARY))
        tokens = rng.integers(0, VOCABULARY, length)
        chosen = (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))[np.arange(length), tokens]
        return reference.SegmentLogits(
            logits_TV=logits,
            tokens_T=tokens.tolist(),
            old_T=(chosen + rng.uniform(-0.7, 0.7, length)).tolist(),
            anchor_T=(chosen + rng.uniform(-0.7, 0.7, length)).tolist(),
            pruned=pruned,
        )

    shape = st.lists(st.tuples(st.integers(1, 5), st.booleans()), min_size=1, max_size=4)
    rewards = st.sampled_from([0.0, 1.0, 0.3, None])
    drawn = draw(st.lists(st.tuples(st.sampled_from("abc"), rewards, shape), min_size=1, max_size=6))
    return [
        reference.Scored(question=question, reward=reward, segments=[segment(*each) for each in segments])
        for question, reward, segments in drawn
    ]


def ours(rollouts: list[reference.Scored], algorithm: Algorithm) -> reference.Whole:
    """The same by the code under test: advantages, weights and loss of ``model``, gradient by differentiation."""
    groups = [each.question for each in rollouts]
    worths = advantages(groups, [each.reward for each in rollouts], algorithm=algorithm)
    logits = [
        [torch.tensor(part.logits_TV, requires_grad=True) for part in each.segments] for each in rollouts
    ]
    samples, kept = [], []
    for number, (each, worth) in enumerate(zip(rollouts, worths, strict=True)):
        for index, part in enumerate(each.segments):
            if worth is not None:
                sample = TrainingSample(
                    key=SampleKey(each.question, number, index),
                    token_ids=(0, *part.tokens_T),
                    loss_positions=tuple(range(1, len(part.tokens_T) + 1)),
                    old_logprobs=tuple(part.old_T),
                    advantage=worth,
                    credit=Credit(part.pruned, PruneReason.DEAD_END),
                )
                samples.append(sample)
                if trainable(sample, algorithm=algorithm):
                    kept.append((sample, part, logits[number][index]))
    weights = segment_weights(samples, denominator=algorithm.denominator)
    loss = 0.0
    if kept:
        chosen = [
            scores.log_softmax(dim=-1)[torch.arange(len(part.tokens_T)), torch.tensor(part.tokens_T)]
            for _, part, scores in kept
        ]
        given = LossInputs(
            torch.tensor([value for _, part, _ in kept for value in part.old_T], dtype=torch.float64),
            torch.tensor([at for at, (_, part, _) in enumerate(kept) for _ in part.tokens_T]),
            torch.tensor([sample.advantage for sample, _, _ in kept], dtype=torch.float64),
            torch.tensor([weights[sample.key] for sample, _, _ in kept], dtype=torch.float64),
            torch.tensor([v for _, part, _ in kept for v in part.anchor_T or ()], dtype=torch.float64),
        )
        found = policy_loss(torch.cat(chosen), given, algorithm=algorithm).value
        found.backward()
        loss = float(found.detach())
    gradients = [
        [(each.grad if each.grad is not None else torch.zeros_like(each)).numpy() for each in row]
        for row in logits
    ]
    return reference.Whole(loss=loss, gradients=gradients)


@given(rollouts=updates(), algorithm=ALGORITHMS)
@settings(deadline=None, max_examples=200)
def test_loss_and_gradient_by_every_logit_equal_numpy_under_every_option(
    rollouts: list[reference.Scored], algorithm: Algorithm
):
    expected, found = reference.objective(rollouts, options(algorithm)), ours(rollouts, algorithm)
    assert found.loss == pytest.approx(expected.loss, abs=1e-12)
    for mine, theirs in zip(found.gradients, expected.gradients, strict=True):
        for one, other in zip(mine, theirs, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-12)


@pytest.mark.parametrize("pruning", [each for each in Pruning if each is not Pruning.RANDOM])
@pytest.mark.parametrize("seed", range(3))
def test_what_is_pruned_is_equation_11_read_literally(pruning: Pruning, seed: int):
    rollouts = group("q", seed)
    samples = training_samples(rollouts, algorithm=Algorithm(pruning=pruning)).samples
    rules = {
        "positives": pruning in (Pruning.GGPO, Pruning.POSITIVES),
        "negatives": pruning in (Pruning.GGPO, Pruning.NEGATIVES),
    }
    for each in samples:
        expected = reference.is_pruned(rollouts[each.key.rollout], each.key.segment, **rules)
        assert each.pruned == expected, each.key


VARIANTS = {
    "ggpo": Algorithm(clip_low=0.2, clip_high=0.2),
    "kept denominator": Algorithm(clip_low=0.2, clip_high=0.2, denominator=Denominator.KEPT),
    "per rollout, no deviation": Algorithm(
        clip_low=0.1, clip_high=0.3, denominator=Denominator.ROLLOUTS, normalise_std=False
    ),
    "positives, gspo-token": Algorithm(
        clip_low=0.2, clip_high=0.2, pruning=Pruning.POSITIVES, ratio=Ratio.GSPO_TOKEN
    ),
    "negatives, token": Algorithm(clip_low=0.2, clip_high=0.2, pruning=Pruning.NEGATIVES, ratio=Ratio.TOKEN),
    "reinforce++": Algorithm(
        clip_low=0.2, clip_high=0.2, pruning=Pruning.NONE, ratio=Ratio.TOKEN, baseline=Baseline.BATCH
    ),
    "with divergence": Algorithm(clip_low=0.2, clip_high=0.2, kl_coefficient=0.2),
}


@pytest.fixture(scope="module")
def rollouts() -> list[Trajectory]:
    made = sampled(group("q1", 0) + group("q2", 1, pictures=False), policy(), Pictures(), jitter=0.3)
    return [*made[:5], replace(made[5], reward=None, correct=None), *made[6:]]


def expected_gradient(rollouts: list[Trajectory], algorithm: Algorithm) -> dict[str, torch.Tensor]:
    """The reference's gradient by the logits, carried to the weights through plain forward passes."""
    model, anchor = policy(), policy(seed=1)
    everything = replace(algorithm, pruning=Pruning.NONE)
    by_key = {each.key: each for each in training_samples(rollouts, algorithm=everything).samples}
    numbers: dict[str, int] = {}
    scored, logits = [], []
    for trajectory in rollouts:
        question = trajectory.task.id
        rollout = numbers[question] = numbers.get(question, -1) + 1
        parts = []
        for index in range(len(trajectory.segments) if trajectory.reward is not None else 0):
            sample = by_key[SampleKey(question, rollout, index)]
            scores_TV, tokens = (
                plain_logits(model, sample),
                [sample.token_ids[a] for a in sample.loss_positions],
            )
            with torch.no_grad():
                anchor_TV = plain_logits(anchor, sample).log_softmax(dim=-1)
            logits.append(scores_TV)
            parts.append(
                reference.SegmentLogits(
                    logits_TV=scores_TV.detach().numpy(),
                    tokens_T=tokens,
                    old_T=sample.old_logprobs,
                    anchor_T=[float(anchor_TV[at, token]) for at, token in enumerate(tokens)],
                    pruned=algorithm.pruning is not Pruning.NONE
                    and reference.is_pruned(
                        trajectory,
                        index,
                        positives=algorithm.pruning is not Pruning.NEGATIVES,
                        negatives=algorithm.pruning is not Pruning.POSITIVES,
                    ),
                )
            )
        scored.append(reference.Scored(question=question, reward=trajectory.reward, segments=parts))
    found = reference.objective(scored, options(algorithm))
    rows = [row for each in found.gradients for row in each]
    torch.autograd.backward(logits, [torch.from_numpy(row).float() for row in rows])
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("name", VARIANTS)
def test_the_gradient_of_a_whole_update_equals_numpy(name: str, rollouts: list[Trajectory]):
    algorithm = VARIANTS[name]
    schedule = Schedule(learning_rate=1e-3, token_budget=120, logit_tokens=8, max_gradient_norm=0)
    plain = trainer(Setup(schedule=schedule, engine=EngineConfig(zero_stage=0)))
    anchor = TokenLogprobs(policy(seed=1)).eval() if algorithm.kl_coefficient else None
    made = Trainer(plain.engine, plain.inputs, algorithm=algorithm, parity=None, reference=anchor)
    caught: dict[str, torch.Tensor] = {}
    step = made.engine.step

    def spy():
        caught.update(
            {n: p.grad.clone() for n, p in made.engine.model.named_parameters() if p.grad is not None}
        )
        return step()

    made.engine.step = spy  # type: ignore[method-assign]
    made.update(rollouts)
    assert_same(caught, expected_gradient(rollouts, algorithm), tolerance=1e-5)
