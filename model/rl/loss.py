"""The objective of GGPO and its baselines as pure functions of tensors.

No model, batch or process group: whatever is summed over here may be any part of an update, because every segment comes
with its own weight in the whole. Gradients of the parts therefore add up to the gradient of the whole, exactly.

Shape legend: S = segments of a micro-batch, T = loss tokens of all of them, concatenated. Prompt and observation tokens are
not in T at all, and a pruned segment is not in S: the pruning mask never changes a length.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from model.config.algorithm import Algorithm, Ratio

MAX_LOG_RATIO = 10.0  # nats; keeps exp() finite when sampler and trainer disagree badly


class LossInputs(NamedTuple):
    """What a micro-batch's loss depends on besides the policy: constants, none takes gradient."""

    old_logprobs_T: Tensor  # of the loss tokens under the policy that sampled them (nats)
    segment_T: Tensor  # i64, index 0..S-1 of the segment each token belongs to
    advantages_S: Tensor  # of each segment's rollout
    weights_S: Tensor  # one over the objective's denominator, see ``segments.segment_weights``
    reference_T: Tensor | None = None  # log-probabilities under the reference model, if the divergence counts


class Loss(NamedTuple):
    """What a micro-batch contributes to an update; sums over micro-batches give the update's own figures."""

    value: Tensor  # scalar, differentiable: minus the weighted objective (plus the weighted divergence)
    clipped: Tensor  # scalar, number of ratios that the clip holds (segments, or tokens for Ratio.TOKEN)
    ratios: Tensor  # scalar, sum of the segments' length-normalised ratios
    divergence: Tensor  # scalar, sum over segments of the mean divergence from the reference (nats)
    max_log_ratio: Tensor  # scalar, largest |log ratio| of a token (nats)


def segment_means(values_T: Tensor, segment_T: Tensor, *, num_segments: int) -> Tensor:
    """Mean of each segment's own tokens, [S]; a segment without tokens gets 0."""
    sums_S = values_T.new_zeros(num_segments).index_add(0, segment_T, values_T)
    lengths_S = torch.bincount(segment_T, minlength=num_segments).clamp(min=1)
    return sums_S / lengths_S


def segment_ratios(log_ratios_T: Tensor, segment_T: Tensor, *, num_segments: int) -> Tensor:
    """Length-normalised importance ratio of each segment, [S]: ``exp(mean log ratio)`` (GSPO, arXiv 2507.18071, Eq. 7)."""
    means_S = segment_means(log_ratios_T, segment_T, num_segments=num_segments)
    return means_S.clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO).exp()


def clipped_terms(ratios: Tensor, advantages: Tensor, *, low: float, high: float) -> Tensor:
    """``min(s A, clip(s, 1 - low, 1 + high) A)`` elementwise, the summand of Eq. 12 of arXiv 2602.12735."""
    return torch.minimum(ratios * advantages, ratios.clamp(1 - low, 1 + high) * advantages)


def is_clipped(ratios: Tensor, advantages: Tensor, *, low: float, high: float) -> Tensor:
    """Where the clip is active, so that no gradient flows; bool of the ratios' shape."""
    return ((advantages > 0) & (ratios > 1 + high)) | ((advantages < 0) & (ratios < 1 - low))


def divergences(logprobs_T: Tensor, reference_T: Tensor) -> Tensor:
    """Unbiased non-negative estimate of KL(policy || reference) of each token, [T].

    ``exp(d) - d - 1`` with d = reference - policy (nats).
    """
    delta_T = (reference_T - logprobs_T).clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO)
    return delta_T.exp() - delta_T - 1


def policy_loss(logprobs_T: Tensor, inputs: LossInputs, *, algorithm: Algorithm) -> Loss:
    """Minus Eq. 12 over the kept segments of one micro-batch, plus the divergence if ``algorithm`` has one.

    Args:
        logprobs_T: of the loss tokens under the policy being trained (nats); takes the gradient.
        inputs: everything that does not.
        algorithm: ratio, clip and divergence coefficient.

    Raises:
        ValueError: if the divergence counts and no reference is given.
    """
    num_segments = len(inputs.advantages_S)
    log_ratios_T = logprobs_T - inputs.old_logprobs_T
    terms_S, clipped = _terms(log_ratios_T, inputs, algorithm)
    ratios_S = segment_ratios(log_ratios_T.detach(), inputs.segment_T, num_segments=num_segments)
    value = -(inputs.weights_S * terms_S).sum()
    divergence = value.new_zeros(())
    if algorithm.kl_coefficient:
        if inputs.reference_T is None:
            raise ValueError("a positive kl_coefficient needs log-probabilities of a reference model")
        tokens_T = divergences(logprobs_T, inputs.reference_T)
        means_S = segment_means(tokens_T, inputs.segment_T, num_segments=num_segments)
        value = value + algorithm.kl_coefficient * (inputs.weights_S * means_S).sum()
        divergence = means_S.detach().sum()
    largest = log_ratios_T.detach().abs().max() if len(log_ratios_T) else value.new_zeros(())
    return Loss(value, clipped, ratios_S.sum(), divergence, largest)


class _Terms(NamedTuple):
    terms_S: Tensor
    clipped: Tensor


def _terms(log_ratios_T: Tensor, inputs: LossInputs, algorithm: Algorithm) -> _Terms:
    segment_T, advantages_S = inputs.segment_T, inputs.advantages_S
    low, high, num_segments = algorithm.clip_low, algorithm.clip_high, len(advantages_S)
    if algorithm.ratio is Ratio.SEQUENCE:
        ratios_S = segment_ratios(log_ratios_T, segment_T, num_segments=num_segments)
        held_S = is_clipped(ratios_S, advantages_S, low=low, high=high)
        return _Terms(clipped_terms(ratios_S, advantages_S, low=low, high=high), held_S.sum())
    if algorithm.ratio is Ratio.TOKEN:
        ratios_T = log_ratios_T.clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO).exp()
    else:
        detached_S = segment_ratios(log_ratios_T.detach(), segment_T, num_segments=num_segments)
        ratios_T = detached_S[segment_T] * (log_ratios_T - log_ratios_T.detach()).exp()
    advantages_T = advantages_S[segment_T]
    terms_T = clipped_terms(ratios_T, advantages_T, low=low, high=high)
    held_T = is_clipped(ratios_T, advantages_T, low=low, high=high)
    return _Terms(segment_means(terms_T, segment_T, num_segments=num_segments), held_T.sum())


def likelihood_loss(logprobs_T: Tensor, *, num_tokens: int) -> Tensor:
    """Supervised loss: minus the summed log-probability of a micro-batch over the loss tokens of the whole update."""
    return -logprobs_T.sum() / num_tokens
