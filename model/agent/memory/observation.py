"""How search results become a turn of the conversation, within the limits; the same for every memory policy."""

from collections.abc import Sequence
from dataclasses import dataclass

from model.agent.context import TokenCounter, observation_parts
from model.agent.events import ObservationAdded
from model.agent.prompts import Profile
from model.agent.truncation import truncate
from model.config.limits import Limits
from model.types import DisplayedHit, Message, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservationRenderer:
    """Words, limits and token counter of one rollout."""

    profile: Profile
    limits: Limits
    count: TokenCounter

    def message(self, shown: Sequence[DisplayedHit], *, repeated: bool = False) -> Message:
        """The turn that shows the results, or says why there are none."""
        chars = self.limits.passage_chars
        return Message(
            role=Role.TOOL,
            parts=observation_parts(self.profile, shown, repeated=repeated, passage_chars=chars),
        )

    def turn(self, observed: ObservationAdded) -> Message:
        """The turn of one search."""
        return self.message(observed.shown, repeated=observed.repeated)

    def fitting(self, shown: Sequence[DisplayedHit]) -> tuple[DisplayedHit, ...]:
        """The results, shortened to the length of one observation."""
        return truncate(
            shown,
            lambda view: self.count((self.message(view),)),
            max_tokens=self.limits.observation_tokens,
        )
