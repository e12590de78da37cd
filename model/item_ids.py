"""What the id of a corpus item says about it: ``dataset:kind:native-id``, where a clip is ``<video>#<start>``.

The one place where ids are read; an id of another form has no kind.
"""

from enum import StrEnum


class IdKind(StrEnum):
    """The kinds of visual items, as they stand in ids; texts have kinds of their own."""

    PAGE = "page"
    SLIDE = "slide"
    IMAGE = "image"
    CLIP = "clip"
    VIDEO = "video"


PAGE_KINDS = (IdKind.PAGE, IdKind.SLIDE)


def id_kind(item_id: str) -> str:
    """The kind of an item; empty for an id of another form."""
    return "".join(item_id.split(":")[1:2])


def video_of(clip_id: str) -> str:
    """The video of a clip."""
    return clip_id.rsplit("#", 1)[0]
