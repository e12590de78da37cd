"""VideoRAG: one retrieval, clips first, a fixed number of small frames with their transcript, one answer (arXiv 2501.05874).

Not the system of the same name that builds a knowledge graph. The ``top_k`` results of the one search are those of every
method, put in another order: video clips first, in rank order, then the rest. All of them together show at most
``max_frames`` images of at most ``frame_pixels`` each (32 of 224 x 224): the clips share them as evenly as they divide, the
better clips getting the odd ones. The transcript is the clip's text.

[ours] A page or an image among the results counts as one of the images and is shown no larger.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from memory_graph.graph import Modality
from model.agent.context import sized
from model.agent.display import with_frames
from model.agent.memory.session import MemoryPolicy
from model.agent.memory.vanilla import OneSearch
from model.config.limits import Limits
from model.types import DisplayedHit


class ClipSearch(OneSearch):
    """One search whose clips come first."""

    def view(self, shown: tuple[DisplayedHit, ...]) -> tuple[DisplayedHit, ...]:
        """The results in the order and with the images of this method, as far as they fit."""
        return self.fitting(clips_first(shown, self.environment.limits))


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRag(MemoryPolicy):
    """One retrieval, one call, small frames."""

    session = ClipSearch

    name: str = "videorag"


def clips_first(shown: Sequence[DisplayedHit], limits: Limits) -> tuple[DisplayedHit, ...]:
    """The results in the order and with the images of this method."""
    clips = [display for display in shown if display.hit.modality is Modality.VIDEO]
    others = [display for display in shown if display.hit.modality is not Modality.VIDEO]
    left = max(limits.max_frames - sum(bool(still.images) for still in others), min(1, len(clips)))
    ordered: list[DisplayedHit] = []
    for place, clip in enumerate(clips):
        number = min(len(clip.images), -(-left // (len(clips) - place)))
        ordered.append(clip if number == len(clip.images) else with_frames(clip, number))
        left -= number
    places = limits.max_frames - sum(len(display.images) for display in ordered)
    for still in others:
        ordered.append(_small(still, limits) if places > 0 else replace(still, images=()))
        places -= bool(still.images)
    return tuple(ordered)


def _small(still: DisplayedHit, limits: Limits) -> DisplayedHit:
    hit = still.hit
    images = (sized(hit.item_id, hit.width, hit.height, pixels=limits.frame_pixels),) if still.images else ()
    return replace(still, images=images)
