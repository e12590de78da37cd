"""VideoRAG: one retrieval, clips first, a fixed number of small frames with their transcript, one answer (arXiv 2501.05874).

Not the system of the same name that builds a knowledge graph. The ``top_k`` results of the one search are those of every
method, put in another order: video clips first, in rank order, then the rest. All of them together show at most
``max_frames`` pictures of at most ``frame_pixels`` each (32 of 224 x 224): the clips share them as evenly as they divide, the
better clips getting the odd ones. The transcript is the clip's text.

[ours] A page or a picture among the results counts as one of the pictures and is shown no larger.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from memory_graph.graph import Modality
from model.agent.context import TokenCounter, estimate_tokens, sized
from model.agent.display import with_frames
from model.agent.environment import Environment
from model.agent.memory.observation import ObservationRenderer
from model.agent.memory.vanilla import OneSearch
from model.agent.prompts import FULL, Profile
from model.config.limits import Limits
from model.protocols import Retriever
from model.types import DisplayedHit, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRag:
    """One retrieval, one call, small frames."""

    profile: Profile = FULL
    count_tokens: TokenCounter = estimate_tokens
    name: str = "videorag"

    def open(self, task: Task, retriever: Retriever, limits: Limits) -> OneSearch:
        """The session of one rollout."""
        observing = ObservationRenderer(profile=self.profile, limits=limits, count=self.count_tokens)
        environment = Environment(task, retriever, limits)
        return OneSearch(
            environment, observing, view=lambda shown: observing.fitting(clips_first(shown, limits))
        )


def clips_first(shown: Sequence[DisplayedHit], limits: Limits) -> tuple[DisplayedHit, ...]:
    """The results in the order and with the pictures of this method."""
    clips = [each for each in shown if each.hit.modality is Modality.VIDEO]
    others = [each for each in shown if each.hit.modality is not Modality.VIDEO]
    left = max(limits.max_frames - sum(bool(each.images) for each in others), min(1, len(clips)))
    ordered: list[DisplayedHit] = []
    for place, clip in enumerate(clips):
        number = min(len(clip.images), -(-left // (len(clips) - place)))
        ordered.append(clip if number == len(clip.images) else with_frames(clip, number))
        left -= number
    places = limits.max_frames - sum(len(each.images) for each in ordered)
    for each in others:
        ordered.append(_small(each, limits) if places > 0 else replace(each, images=()))
        places -= bool(each.images)
    return tuple(ordered)


def _small(still: DisplayedHit, limits: Limits) -> DisplayedHit:
    hit = still.hit
    images = (sized(hit.item_id, hit.width, hit.height, pixels=limits.frame_pixels),) if still.images else ()
    return replace(still, images=images)
