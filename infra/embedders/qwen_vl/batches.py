"""Prompts to batches of about equal length. Pure functions of lengths."""

from collections.abc import Sequence


def batches_by_tokens(lengths: Sequence[int], *, max_tokens: int) -> list[list[int]]:
    """Positions grouped so that rows times the longest row are at most ``max_tokens``, the longest first.

    A prompt longer than ``max_tokens`` is a batch of its own. Every position stands in exactly one batch.
    """
    batches: list[list[int]] = []
    for position in sorted(range(len(lengths)), key=lambda at: (-lengths[at], at)):
        batch = batches[-1] if batches else []
        if batch and (len(batch) + 1) * lengths[batch[0]] <= max_tokens:
            batch.append(position)
        else:
            batches.append([position])
    return batches


def thinned(count: int, most: int) -> list[int]:
    """Positions of at most ``most`` of ``count`` frames, evenly spread, the first and the last among them.

    >>> thinned(9, 3)
    [0, 4, 8]
    """
    if count <= most:
        return list(range(count))
    if most == 1:
        return [count // 2]
    return [round(at * (count - 1) / (most - 1)) for at in range(most)]
