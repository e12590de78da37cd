"""Text of a reply while it is being generated, in pieces that are never half a character.

The pieces add up to the decoded reply. What may still change is held back: bytes of an unfinished character, and, for
tokenizers that fall back to byte tokens, the whole run of byte tokens, since one wrong byte spoils its run.
"""

import re

from model.policies.chat_template import PromptEncoder

_BYTE_TOKEN = re.compile(r"<0x[0-9A-F]{2}>")
_UNFINISHED = "\ufffd"  # what decoders write for bytes that are no character (yet)


class Detokenizer:
    """The text of one reply as its tokens come; single use.

    Only the tokens since the last piece, and those of that piece, are decoded again (the latter because some decoders
    treat the first token of a text differently), so the work is linear in the reply.
    """

    def __init__(self, encoder: PromptEncoder) -> None:
        self._encoder = encoder
        self._ids: list[int] = []
        self._context = 0  # where decoding starts
        self._emitted = 0  # tokens whose text has been returned

    def add(self, token: int) -> str:
        """The text that has become certain with this token; often empty."""
        self._ids.append(token)
        if self._is_byte(token):
            return ""
        return self._take(hold_unfinished=True)

    def rest(self) -> str:
        """The text held back so far; the reply has ended."""
        return self._take(hold_unfinished=False)

    def _take(self, *, hold_unfinished: bool) -> str:
        before = self._encoder.decode(self._ids[self._context : self._emitted])
        text = self._encoder.decode(self._ids[self._context :])
        if hold_unfinished and text.endswith(_UNFINISHED):
            return ""
        self._context, self._emitted = self._emitted, len(self._ids)
        return text[len(before) :]

    def _is_byte(self, token: int) -> bool:
        piece = self._encoder.tokenizer.convert_ids_to_tokens(token)
        return isinstance(piece, str) and _BYTE_TOKEN.fullmatch(piece) is not None
