"""Identity of content: normalised text, content hashes and the short hashes that stand in native ids.

Equal content has an equal hash within a modality; which of two equal items survives is decided by
``assets.corpus.build``.
"""

import hashlib
import unicodedata

SHORT_HEX = 16  # 64 bits: among 5 million paragraphs a collision has a chance below one in a million


def normalised(text: str) -> str:
    """NFC with runs of white space as one space: what counts as the same text."""
    composed = text if text.isascii() else unicodedata.normalize("NFC", text)
    return " ".join(composed.split())


def text_hash(*parts: str) -> str:
    """Sha256 hex of the normalised parts, in order."""
    return hashlib.sha256(
        "\0".join(normalised(part) for part in parts).encode("utf-8", "surrogatepass")
    ).hexdigest()


def bytes_hash(*parts: bytes) -> str:
    """Sha256 hex of the parts, each preceded by its length so that their borders count."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


def short_hash(*parts: str) -> str:
    """The first 64 bits of ``text_hash``, for native ids."""
    return text_hash(*parts)[:SHORT_HEX]
