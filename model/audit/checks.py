"""What an audit refuses before it begins: rollouts that are not of this policy, or not comparable with each other."""

from collections.abc import Sequence

from model.rl.segments import TrainingSample
from model.types import Trajectory

LARGEST_DIFFERENCE = (
    0.05  # nats a token, in the mean over a segment, between what was sampled and what is recomputed
)


def refuse_others(trajectories: Sequence[Trajectory], *, fingerprint: str, vocabulary: int) -> None:
    """Rollouts must be of one policy, tokenizer, memory and set of limits, and hold their tokens.

    Raises:
        ValueError: with the reason and the question of the first that is not.
    """
    if not trajectories:
        raise ValueError("no rollouts: there is nothing to judge")
    first = trajectories[0]
    for trajectory in trajectories:
        where = f"a rollout of question {trajectory.task.id!r}"
        if trajectory.limits != first.limits:
            raise ValueError(
                f"{where} had other limits than the first one: {trajectory.limits}, {first.limits}"
            )
        if trajectory.memory != first.memory:
            raise ValueError(
                f"{where} is of the memory policy {trajectory.memory!r}, the first of {first.memory!r}"
            )
        calls = [call for segment in trajectory.segments for call in segment.calls]
        if any(not call.token_ids or len(call.logprobs) != len(call.token_ids) for call in calls):
            raise ValueError(
                f"{where} holds no tokens or log-probabilities: it was not made by a local policy"
            )
        if any(max(call.prompt_ids + call.token_ids) >= vocabulary for call in calls):
            raise ValueError(
                f"{where} has tokens beyond the {vocabulary} of this tokenizer: it is of another one"
            )
        if calls and trajectory.policy != fingerprint:
            raise ValueError(
                f"{where} was made by {_told(trajectory.policy, fingerprint)}: audit them with the checkpoint that drew them"
            )


def _told(made_by: str, mine: str) -> str:
    theirs, ours = made_by.rsplit(":", 1), mine.rsplit(":", 1)
    if len(theirs) == 2 and theirs[1] != ours[1]:
        return f"a policy with another tokenizer ({theirs[1]}, not {ours[1]})"
    return f"another policy ({made_by or 'unnamed'}, not {mine})"


def refuse_moved(sample: TrainingSample, recomputed: Sequence[float]) -> None:
    """Recomputed log-probabilities must be those that were sampled: else pixels, temperature or weights differ.

    Raises:
        ValueError: naming the segment.
    """
    differences = [abs(a - b) for a, b in zip(sample.old_logprobs, recomputed, strict=True)]
    mean = sum(differences) / len(differences)
    if not mean <= LARGEST_DIFFERENCE:  # a NaN too
        raise ValueError(
            f"question {sample.key.question_id!r}, segment {sample.key.segment}: log-probabilities differ from the sampled "
            f"ones by {mean:.2g} nats a token: other pictures, another temperature or other weights"
        )
