"""Whether a server read the whole prompt: what it counted, beside what was sent and what it counted before.

A server whose context is shorter than the prompt may drop the beginning, where the instruction and the question stand, and answer
as if nothing had happened (Ollama below its ``num_ctx``). Its count of prompt tokens gives it away. Pure; one log an endpoint.
"""

from typing import NamedTuple

from infra.llm.assembly import estimated_usage, has_pictures, least_tokens
from infra.llm.types import ChatMessages

KEPT = 32  # prompts that are remembered
SLACK = 48  # tokens that a template may add to one prompt and not to another
LEAST_CAP = 512  # tokens; no server is run with a shorter context
DIFFERENT = 1.1  # how much longer the longer of two prompts is estimated before equal counts mean a cap


class _Prompt(NamedTuple):
    least: int  # tokens by its words and pictures
    estimate: int
    counted: int
    has_pictures: bool  # whose tokens depend on the model and on their sizes


class PromptLog:
    """The prompts of one endpoint and what it counted."""

    def __init__(self) -> None:
        self._prompts: list[_Prompt] = []

    def least(self, messages: ChatMessages, counted: int) -> int:
        """Tokens that were read at least if none was dropped; more than ``counted`` only where some surely were.

        Three signs: fewer tokens than words; fewer more than for a shorter prompt of words than there are more words; the same
        number as for a prompt of another length.
        """
        estimate = estimated_usage(messages, "").prompt
        new = _Prompt(least_tokens(messages), estimate, counted, has_pictures(messages))
        least = new.least if counted else 0  # a count of 0 means that nobody counts
        for old in self._prompts:
            if new.least >= old.least and counted and not old.has_pictures:
                least = max(least, old.counted + (new.least - old.least) - SLACK)
            if counted == old.counted >= LEAST_CAP and _differ(old.estimate, new.estimate):
                least = max(least, old.estimate, new.estimate, counted + 1)
        self._prompts = [*self._prompts, new][-KEPT:]
        return least if least > counted else 0


def _differ(one: int, other: int) -> bool:
    return max(one, other) > DIFFERENT * min(one, other)
