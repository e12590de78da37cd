"""A reply that somebody else said, as the student's own tokens: what oracle and teacher have in common.

Holds the conversion alone. Nobody drew these tokens, so their log-probabilities are zeros and no ratio may rest on them.
"""

from collections.abc import Sequence

from model.policies.chat_template import PromptEncoder
from model.types import Completion, Message


def demonstrated(
    encoder: PromptEncoder, messages: Sequence[Message], text: str, *, is_cut: bool = False
) -> Completion:
    """``text`` after ``messages`` in the student's tokens, with its end-of-turn token unless the reply was cut off."""
    prompt = encoder.encode(messages)
    ending = () if is_cut else (encoder.eos_id,)  # whose reply was cut off never said that it ends
    tokens = (*encoder.text_ids(text), *ending)
    return Completion(
        text=text,
        prompt_ids=prompt.ids,
        token_ids=tokens,
        logprobs=(0.0,) * len(tokens),
        images=prompt.images,
        finish_reason="length" if is_cut else "stop",
        prompt_tokens=len(prompt.ids),
        completion_tokens=len(tokens),
    )
