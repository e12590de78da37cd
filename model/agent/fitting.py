"""What is done for a reader about a model that cannot take a prompt, spends its reply on thoughts, or never searches.

A refused prompt is shortened step by step (pictures smaller, then none; texts of observations shorter) and asked again; question,
instruction and memory never go. Kept pictures were granted pixels by energy, so what is worth least is the first to be
illegible. Training and evaluation do none of this: there a refusal is a failure, and who does not search finds nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from memory_graph.budget import shrink
from model.agent.context import TokenCounter, joined
from model.agent.events import Notice
from model.agent.truncation import MIN_PASSAGE_CHARS
from model.protocols import PicturesRefused, PromptTooLong
from model.types import Completion, ImageRef, Message, Role, Sampling

STEPS = 5  # the last ones without pictures
PICTURE_STEPS = 3
LINE_CHARS = 4000  # of an observation's line at step 0; halved by each step
LEAST_PICTURE = 4 * 1024  # pixels; a smaller one shows nothing
RAISED = 4  # times the limit of a reply that was all thought
LEFT_OUT = "(picture left out)"


@dataclass(slots=True, kw_only=True)
class Fitting:
    """How the prompts of one rollout are cut; single use."""

    count: TokenCounter
    step: int = 0
    pictures: bool = True
    raised: int = 1  # the limit of a reply, in times of what was asked for
    has_warned: bool = False  # that the server drops parts of prompts
    has_looked_up: bool = False  # for a model that asked for no search; its next reply is the answer

    def prompt(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        """The conversation as it can be sent."""
        if self.step == 0 and self.pictures:
            return messages
        return shortened(messages, self.step, pictures=self.pictures)

    def sampling(self, sampling: Sampling) -> Sampling:
        """With the limit of a reply as it is now."""
        return (
            sampling if self.raised == 1 else replace(sampling, max_tokens=sampling.max_tokens * self.raised)
        )

    def refused(
        self, error: PromptTooLong | PicturesRefused, call: int, messages: tuple[Message, ...]
    ) -> Notice:
        """Cut the next prompt further; ``messages`` is the whole conversation. Raises ``error`` if nothing is left to cut."""
        if isinstance(error, PicturesRefused):
            if not self.pictures:
                raise error
            self.pictures = False
            text = f"{error}; going on with the texts of pages, without pictures"
            return Notice(call=call, code="no_pictures", text=text)
        self.step = self._next_step(error, messages)
        if self.step > STEPS:
            raise error
        what = "without pictures" if self.step > PICTURE_STEPS else "with smaller pictures and shorter texts"
        return Notice(
            call=call, code="shortened", text=f"the prompt was too long for the model; asked again {what}"
        )

    def _next_step(self, error: PromptTooLong, messages: tuple[Message, ...]) -> int:
        """The first further step that should fit by what the server said; just the next one if it said nothing."""
        if not 0 < error.most < error.sent:
            return self.step + 1
        sent = self.count(self.prompt(messages))
        for step in range(self.step + 1, STEPS):
            cut = self.count(shortened(messages, step, pictures=self.pictures))
            if cut <= 0.9 * sent * error.most / error.sent:
                return step
        return min(STEPS, self.step + 1) if self.step < STEPS else STEPS + 1

    def after(self, completion: Completion, call: int) -> Notice | None:
        """What a reader has to know of a reply that came: a prompt that was cut by the server, once."""
        read, least = completion.prompt_tokens, completion.least_prompt_tokens
        if self.has_warned or least <= read:
            return None
        self.has_warned = True
        return Notice(
            call=call,
            code="prompt_cut",
            text=f"the server counted {read:,} tokens of a prompt of at least {least:,}: it drops what is longer than its"
            " context, beginning with the instruction and the question, so this answer may rest on less than was found;"
            " give it a longer context (Ollama: OLLAMA_CONTEXT_LENGTH or num_ctx, llama.cpp: -c, vLLM: --max-model-len)",
        )

    def looked_up(self, call: int) -> Notice:
        """What a reader has to know of a search that nobody asked for; the next call has to answer."""
        self.has_looked_up = True
        return Notice(
            call=call,
            code="looked_up",
            text="the model asked for no search, so one was made for it with the question; with the memory vanilla that is"
            " done at once",
        )

    def thought_only(
        self, completion: Completion, sampling: Sampling, call: int
    ) -> tuple[Notice, bool] | None:
        """For a reply that spent its whole limit on thoughts: what is done, and whether to ask again; else None."""
        if completion.finish_reason != "length" or spoken(completion.text):
            return None
        limit = self.sampling(sampling).max_tokens
        said = f"all {limit:,} tokens of the reply went into thinking and none into an answer"
        if self.raised == 1:
            self.raised = RAISED
            text = f"{said}; asked again with {limit * RAISED:,}"
            return Notice(call=call, code="thought_only", text=text), True
        text = f"{said}, twice: raise --max-tokens, or switch the model's thinking off"
        return Notice(call=call, code="thought_only", text=text), False


def spoken(text: str) -> str:
    """What a reply says after its thoughts; nothing if they never end."""
    _, closed, rest = text.rpartition("</think>")
    if closed:
        return rest.strip()
    return "" if text.lstrip().startswith(("<think>", "[THINK]")) else text.strip()


def shortened(messages: Sequence[Message], step: int, *, pictures: bool) -> tuple[Message, ...]:
    """The conversation with pictures of a half, a quarter, ... of their pixels and shorter lines of observations.

    Beyond ``PICTURE_STEPS``, and without ``pictures``, a sign stands for each picture.
    """
    share = 0.5**step
    shown = pictures and step <= PICTURE_STEPS
    chars = max(MIN_PASSAGE_CHARS, int(LINE_CHARS * share))
    return tuple(_cut(message, share if shown else 0.0, chars if step else None) for message in messages)


def _cut(message: Message, share: float, chars: int | None) -> Message:
    cuts_text = chars is not None and message.role is Role.TOOL
    parts = [
        _smaller(part, share)
        if isinstance(part, ImageRef)
        else "\n".join(line[:chars] for line in part.split("\n"))
        if cuts_text
        else part
        for part in message.parts
    ]
    return replace(message, parts=joined(parts)) if parts != list(message.parts) else message


def _smaller(image: ImageRef, share: float) -> ImageRef | str:
    pixels = int(image.width * image.height * share)
    if share == 1.0:
        return image
    if pixels < LEAST_PICTURE:
        return LEFT_OUT
    size = shrink(image.width, image.height, pixels)
    return replace(image, width=size.width, height=size.height)
