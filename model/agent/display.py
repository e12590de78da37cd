"""How a search result is looked at: the images it is shown with, and what is kept of it when it is judged useful.

Pure functions of hits and limits. What an observation says is in ``context.py``, what goes when it is too long in
``truncation.py``.
"""

from collections.abc import Sequence
from dataclasses import replace

from memory_graph.actions import Mark
from memory_graph.graph import Modality, VisualItem, VisualKind
from model.agent.context import even_times, frame_times, sized
from model.config.limits import Limits
from model.item_ids import IdKind, id_kind
from model.types import DisplayedHit, Hit

SHOWN_TIME_PRECISION_S = 0.05  # times are shown with one decimal, so a copied time may be off by this much


def display(hit: Hit, limits: Limits) -> DisplayedHit:
    """A search result with the images it is shown with: none for a text, frames at even times for a clip.

    Raises:
        ValueError: if an image has no native size or a clip no duration.
    """
    if hit.modality is Modality.TEXT:
        return DisplayedHit(hit=hit)
    if hit.width < 1 or hit.height < 1:
        raise ValueError(f"{hit.modality} item {hit.item_id!r} has no native size: {hit.width}x{hit.height}")
    if hit.modality is Modality.IMAGE:
        return DisplayedHit(
            hit=hit, images=(sized(hit.item_id, hit.width, hit.height, pixels=limits.observation_pixels),)
        )
    times = frame_times(hit.duration_s, max_frames=limits.max_frames, frames_per_s=limits.frames_per_s)
    frames = tuple(
        sized(hit.item_id, hit.width, hit.height, pixels=limits.frame_pixels, timestamp_s=time_s)
        for time_s in times
    )
    return DisplayedHit(hit=hit, images=frames, interval_s=hit.duration_s / len(times))


def without_images(display: DisplayedHit) -> DisplayedHit:
    """The result as title and text."""
    return replace(display, images=(), interval_s=0.0)


def with_frames(clip: DisplayedHit, number: int) -> DisplayedHit:
    """The clip with ``number`` frames at even times, at the size it has; 0 leaves it without images."""
    if not number:
        return without_images(clip)
    frames = tuple(
        replace(clip.images[0], timestamp_s=time_s) for time_s in even_times(clip.hit.duration_s, number)
    )
    return replace(clip, images=frames, interval_s=clip.hit.duration_s / number)


def key_frames(
    observed_s: Sequence[float], stated_s: Sequence[float], *, interval_s: float
) -> tuple[float, ...]:
    """Observed times nearest to the stated ones, within half a sampling interval; all if none is near."""
    reach = interval_s / 2 + SHOWN_TIME_PRECISION_S
    gaps = [min((abs(seen - wanted), seen) for seen in observed_s) for wanted in stated_s]
    kept = {seen for gap, seen in gaps if gap <= reach}
    return tuple(sorted(kept)) or tuple(observed_s)


def kept_item(displayed: DisplayedHit, mark: Mark) -> VisualItem:
    """What memory keeps of a useful image or clip: reference, priority, the observed frames nearest to the key times."""
    observed_s = tuple(image.timestamp_s for image in displayed.images if image.timestamp_s is not None)
    times = key_frames(observed_s, mark.timestamps, interval_s=displayed.interval_s) if observed_s else ()
    return VisualItem(
        item_id=displayed.hit.item_id,
        kind=kept_kind(displayed.hit),
        priority=mark.priority,
        width=displayed.hit.width,
        height=displayed.hit.height,
        timestamps=times,
    )


def kept_kind(hit: Hit) -> VisualKind:
    """What a visual hit is called among the kept items: a page if its id says so, else its modality."""
    if hit.modality is Modality.IMAGE and id_kind(hit.item_id) == IdKind.PAGE:
        return VisualKind.PAGE
    return VisualKind(hit.modality.value)
