"""One update: rollouts -> samples -> kept segments -> micro-batches -> gradient -> step, for GGPO and for imitation.

Executes what others decide: credit and advantages (``rl/segments.py``), batches (``batches.py``), the objective (``rl/loss.py``),
parallelism (``engine.py``). Every rank is given the same rollouts and plans the whole update; it forwards only its share.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from model.config.algorithm import Algorithm
from model.rl.loss import Loss, likelihood_loss, policy_loss
from model.rl.rollout_metrics import mean_or_nan, pruned_shares, rollout_metrics
from model.rl.segments import SampleKey, SampleSet, TrainingSample, segment_weights, training_samples
from model.training.batches import InputBuilder, TensorBatch, batch_rounds, padded_tokens, to_device
from model.training.engine import DeepSpeedEngine, StepInfo
from model.training.logprobs import TokenLogprobs
from model.training.metrics import LikelihoodMetrics, UpdateMetrics
from model.training.parity import ParityConfig, check_rollouts
from model.training.recompute import NOT_COMPARED, SamplerRatios, recomputed, sampler_ratios
from model.training.vision_features import build_vision_features
from model.types import Trajectory

Objective = Callable[[TensorBatch, Tensor, int], Loss]  # batch, log-probabilities [T], number of head chunks
LossWeights = Mapping[SampleKey, float]


class StepTotals(NamedTuple):
    """Totals of one optimiser step over all micro-batches and ranks."""

    loss: float
    clipped: float
    ratios: float
    divergence: float
    entropy: float
    max_log_ratio: float

    def plus(self, loss: Loss, entropies_T: Tensor) -> StepTotals:
        """The totals with those of one more micro-batch, summed in float64."""
        parts = torch.stack([loss.value, loss.clipped, loss.ratios, loss.divergence, entropies_T.sum()])
        sums = [total + part for total, part in zip(self[:-1], parts.detach().double().tolist(), strict=True)]
        return StepTotals._make([*sums, max(self.max_log_ratio, float(loss.max_log_ratio))])


class PlannedStep(NamedTuple):
    """What one optimiser step is made from."""

    samples: tuple[TrainingSample, ...]
    weights: LossWeights
    drawn: LossWeights
    """What segments count for how the sampler drew them; none where log-probabilities are the sampler's."""


class OptimiserStep(NamedTuple):
    """One optimiser step: its samples, totals and the step itself."""

    samples: tuple[TrainingSample, ...]
    sums: StepTotals
    padded_tokens: int
    info: StepInfo


def trainable(sample: TrainingSample, *, algorithm: Algorithm) -> bool:
    """Whether a sample can have any gradient; the others are counted in the denominator and never forwarded."""
    return not sample.pruned and (sample.advantage != 0 or algorithm.kl_coefficient > 0)


def mini_batches(
    samples: Sequence[TrainingSample], *, parts: int, seed: str
) -> list[tuple[TrainingSample, ...]]:
    """Whole questions split into at most ``parts`` parts in an order that depends on ``seed`` alone; none is empty."""
    questions = sorted({sample.key.question_id for sample in samples})
    random.Random(seed).shuffle(questions)
    part_of = {question: number % parts for number, question in enumerate(questions)}
    split = [tuple(s for s in samples if part_of[s.key.question_id] == number) for number in range(parts)]
    return [part for part in split if part]


class Trainer:
    """Updates one policy.

    Args:
        engine: holds the policy; its schedule sets mini-batches and token budgets.
        inputs: builds the model's inputs with the encoder that served the rollouts.
        algorithm: the objective.
        parity: tolerances of the gate before the first update of this process; None opens the gate.
        reference: model the divergence is measured from; needed exactly when ``algorithm.kl_coefficient`` is positive.
        updates: policy updates already done, when resuming.
    """

    def __init__(
        self,
        engine: DeepSpeedEngine,
        inputs: InputBuilder,
        *,
        algorithm: Algorithm,
        parity: ParityConfig | None,
        reference: TokenLogprobs | None = None,
        updates: int = 0,
    ) -> None:
        if (reference is None) == (algorithm.kl_coefficient > 0):
            raise ValueError("a reference model is needed exactly when kl_coefficient is positive")
        self.engine = engine
        self.inputs = inputs
        self.algorithm = algorithm
        self.parity = parity
        self.reference = reference
        self.updates = updates
        self._gate_passed = False

    def update(self, trajectories: Sequence[Trajectory], *, gate: bool = True) -> UpdateMetrics:
        """One GGPO update from the rollouts of one or more questions, each question's group complete.

        ``gate`` is False for rollouts of weights before the present ones, whose log-probabilities are not to be reproduced.

        Groups without a difference in reward leave the weights alone; if all are so, no step is taken.

        Raises:
            ParityError: before the first update of this process, if the rollouts cannot be reproduced.
            FloatingPointError: if loss or gradient is not finite; go on from the last checkpoint.
            ValueError: for rollouts that cannot be trained on (see ``segments.training_samples``).
        """
        started = time.monotonic()
        sample_set = training_samples(trajectories, algorithm=self.algorithm)
        if gate and not self._gate_passed:
            self.check_parity(sample_set.samples)
            self._gate_passed = True
        schedule = self.engine.schedule
        parts = mini_batches(
            sample_set.samples, parts=schedule.mini_batches, seed=f"{schedule.seed}/{self.updates}"
        )
        plans = [plan for part in parts if (plan := self._planned(part)) is not None]
        ratios = self._sampler_ratios(plans)
        steps = [self._step(plan.samples, plan.weights, self._policy_objective) for plan in plans]
        metrics = _summary(
            self.updates,
            self.engine.steps,
            sample_set,
            trajectories,
            steps,
            ratios,
            time.monotonic() - started,
        )
        self.updates += 1
        return metrics

    def check_parity(self, samples: Sequence[TrainingSample]) -> float:
        """Runs the gate over the samples that can be trained on; see ``parity.check_rollouts``."""
        if self.parity is None:
            return 0.0
        kept = [sample for sample in samples if trainable(sample, algorithm=self.algorithm)]
        return check_rollouts(kept, engine=self.engine, inputs=self.inputs, config=self.parity)

    def nll_update(self, samples: Sequence[TrainingSample]) -> LikelihoodMetrics:
        """One supervised step on the mean negative log-likelihood of all loss tokens of ``samples``, at least one."""
        started = time.monotonic()
        if not samples:
            raise ValueError("a supervised update needs at least one sample")
        num_tokens = sum(len(sample.loss_positions) for sample in samples)

        def objective(batch: TensorBatch, logprobs_T: Tensor, num_chunks: int) -> Loss:
            nothing = logprobs_T.new_zeros(())
            value = likelihood_loss(logprobs_T, num_tokens=num_tokens)
            return Loss(value, nothing, nothing, nothing, nothing)

        step = self._step(samples, dict.fromkeys((sample.key for sample in samples), 1.0), objective)
        return LikelihoodMetrics(
            steps=self.engine.steps,
            loss=step.sums.loss,
            entropy=step.sums.entropy / num_tokens,
            gradient_norm=step.info.gradient_norm,
            learning_rate=step.info.learning_rate,
            num_samples=len(samples),
            loss_tokens=num_tokens,
            seconds=time.monotonic() - started,
        )

    def _planned(self, part: Sequence[TrainingSample]) -> PlannedStep | None:
        """The optimiser step on whole questions; None when no segment of theirs has a gradient."""
        kept = [sample for sample in part if trainable(sample, algorithm=self.algorithm)]
        if not kept:
            return None
        weights = segment_weights(
            part, denominator=self.algorithm.denominator, answer_weight=self.algorithm.answer_weight
        )
        if not self.engine.config.recomputes:
            return PlannedStep(tuple(kept), weights, {})
        samples, drawn = recomputed(
            kept,
            engine=self.engine,
            inputs=self.inputs,
            shares_features=self.reference is None,
            cap=self.engine.config.sampler_cap,
        )
        return PlannedStep(samples, {key: w * drawn.get(key, 1.0) for key, w in weights.items()}, drawn)

    def _sampler_ratios(self, plans: Sequence[PlannedStep]) -> SamplerRatios:
        if not self.engine.config.recomputes:
            return NOT_COMPARED
        drawn = {key: weight for plan in plans for key, weight in plan.drawn.items()}
        return sampler_ratios(drawn, engine=self.engine, cap=self.engine.config.sampler_cap)

    def _policy_objective(self, batch: TensorBatch, logprobs_T: Tensor, num_chunks: int) -> Loss:
        reference_T = None
        if self.reference is not None:
            with torch.no_grad():
                reference_T, _ = self.reference(batch.inputs, batch.targets, num_chunks)
        inputs = batch.loss_inputs._replace(reference_T=reference_T)
        return policy_loss(logprobs_T, inputs, algorithm=self.algorithm)

    def _step(
        self, samples: Sequence[TrainingSample], weights: LossWeights, objective: Objective
    ) -> OptimiserStep:
        """Accumulates the gradient of every micro-batch of this rank, then steps."""
        rounds = batch_rounds(samples, world_size=self.engine.world_size, schedule=self.engine.schedule)
        self.engine.train()
        # the reference model has other features than the policy
        features = (
            build_vision_features(rounds, engine=self.engine, inputs=self.inputs)
            if self.reference is None
            else None
        )
        tower_last = features is not None and features.is_trained
        totals = StepTotals._make([0.0] * len(StepTotals._fields))
        for number, (batches, num_chunks) in enumerate(rounds):
            built = self.inputs.build(batches[self.engine.rank], weights, features)
            batch = to_device(built, self.engine.device)
            logprobs_T, entropies_T = self.engine.logprobs(batch.inputs, batch.targets, num_chunks)
            loss = objective(batch, logprobs_T, num_chunks)
            self.engine.backward(loss.value, last=number == len(rounds) - 1 and not tower_last)
            totals = totals.plus(loss, entropies_T)
        if features is not None and tower_last:
            features.backward(self.engine, self.inputs)
        sums = self._over_ranks(totals)
        if not math.isfinite(sums.loss):
            raise FloatingPointError(f"the loss of optimiser step {self.engine.steps} is not finite")
        info = self.engine.step()
        padded = sum(padded_tokens(batch) for batches, _ in rounds for batch in batches)
        return OptimiserStep(tuple(samples), sums, padded, info)

    def _over_ranks(self, totals: StepTotals) -> StepTotals:
        largest = self.engine.total(torch.tensor([totals.max_log_ratio], dtype=torch.float64), largest=True)
        sums = self.engine.total(torch.tensor(totals[:-1], dtype=torch.float64))
        return StepTotals._make([*sums.tolist(), float(largest)])


def _summary(  # noqa: PLR0913 - everything an update leaves behind
    update: int,
    steps_done: int,
    sample_set: SampleSet,
    trajectories: Sequence[Trajectory],
    steps: Sequence[OptimiserStep],
    ratios: SamplerRatios,
    seconds: float,
) -> UpdateMetrics:
    rewards = [trajectory.reward for trajectory in trajectories if trajectory.reward is not None]
    trained = [sample for step in steps for sample in step.samples]
    loss_tokens = sum(len(sample.loss_positions) for sample in trained)
    samples = sample_set.samples
    pruned = sum(sample.pruned for sample in samples)
    return UpdateMetrics(
        update=update,
        steps=steps_done,
        loss=mean_or_nan([step.sums.loss for step in steps]),
        clip_fraction=_share(steps, "clipped", len(trained)),
        mean_ratio=_share(steps, "ratios", len(trained)),
        max_log_ratio=max((step.sums.max_log_ratio for step in steps), default=math.nan),
        divergence=_share(steps, "divergence", len(trained)),
        entropy=_share(steps, "entropy", loss_tokens),
        gradient_norm=mean_or_nan([step.info.gradient_norm for step in steps]),
        learning_rate=steps[-1].info.learning_rate if steps else math.nan,
        mean_reward=mean_or_nan(rewards),
        num_questions=len({sample.key.question_id for sample in samples}),
        num_rollouts=len(rewards) + sample_set.num_unscored,
        num_unscored=sample_set.num_unscored,
        num_segments=len(samples),
        num_pruned=pruned,
        num_zero_advantage=len(samples) - pruned - len(trained),
        num_trained=len(trained),
        loss_tokens=loss_tokens,
        forward_tokens=sum(len(sample.token_ids) for sample in trained),
        padded_tokens=sum(step.padded_tokens for step in steps),
        sampler_ratio=ratios.mean,
        sampler_ratio_max=ratios.largest,
        sampler_truncated=ratios.truncated,
        seconds=seconds,
        rollouts=rollout_metrics(trajectories),
        pruned=pruned_shares(samples),
    )


def _share(steps: Sequence[OptimiserStep], name: str, count: int) -> float:
    return math.fsum(getattr(step.sums, name) for step in steps) / count if count else math.nan
