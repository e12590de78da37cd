"""What goes when one observation is too long: passage texts first, then frames of clips, then whole images.

Pure functions; the order in which older things leave a context belongs to each memory policy.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from model.agent.context import ContextTooLong, excerpt
from model.agent.display import with_frames
from model.types import DisplayedHit

MIN_PASSAGE_CHARS = 100  # below that a passage says nothing; frames go instead


def truncate(
    shown: Sequence[DisplayedHit], length: Callable[[tuple[DisplayedHit, ...]], int], *, max_tokens: int
) -> tuple[DisplayedHit, ...]:
    """The results with as little left out as makes ``length`` of them at most ``max_tokens``.

    In this order: every text is cut to a half, a quarter, ... of the longest, down to ``MIN_PASSAGE_CHARS``; every clip keeps
    half its frames, a quarter, ... down to one; images go, the last result's first. Titles and places stay, so a
    mark means the same item however short its view.

    Raises:
        ContextTooLong: if the titles alone are too long.
    """
    tokens = 0
    for view in shorter_views(shown):
        tokens = length(view)
        if tokens <= max_tokens:
            return view
    raise ContextTooLong(f"the titles of one observation need {tokens} tokens, {max_tokens} are left for it")


def shorter_views(shown: Sequence[DisplayedHit]) -> Iterator[tuple[DisplayedHit, ...]]:
    """The results as they are, then ever shorter, the last view without images."""
    view = tuple(shown)
    yield view
    chars = max((len(display.hit.text) for display in view), default=0)
    while chars > MIN_PASSAGE_CHARS:
        chars = max(chars // 2, MIN_PASSAGE_CHARS)
        view = tuple(_cut(display, chars) for display in view)
        yield view
    while any(len(display.images) > 1 for display in view):
        view = tuple(_half_the_frames(display) for display in view)
        yield view
    for place in reversed(range(len(view))):
        if view[place].images:
            view = (*view[:place], replace(view[place], images=(), interval_s=0.0), *view[place + 1 :])
            yield view


def _cut(display: DisplayedHit, chars: int) -> DisplayedHit:
    if len(display.hit.text) <= chars:
        return display
    return replace(display, hit=replace(display.hit, text=excerpt(display.hit.text, chars)))


def _half_the_frames(display: DisplayedHit) -> DisplayedHit:
    return with_frames(display, len(display.images) // 2) if len(display.images) > 1 else display
