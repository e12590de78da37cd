"""Documents, images and videos: decoded in a limited process, encoded here.

This is the one public face. The raw decoders (``_images``, ``_pdf``, ``_video``, ``_ocr``, ``_clip_files``) are imported by
``sandbox/operations.py`` alone, which an import contract holds.
"""

from infra.documents.blocks import (
    Attachment,
    Block,
    Document,
    Gap,
    Heading,
    Markdown,
    Paragraph,
    Picture,
    Section,
    Table,
)
from infra.media.decoding import MediaDecoder, PdfDocument, SandboxedOcr, cut_clips, media_decoder
from infra.media.encoding import data_uri, encode_jpeg, encode_png
from infra.media.types import (
    ClipRange,
    Frame,
    OcrError,
    PdfPage,
    VideoInfo,
    clip_ranges,
    uniform_times,
)

__all__ = [
    "Attachment",
    "Block",
    "ClipRange",
    "Document",
    "Frame",
    "Gap",
    "Heading",
    "Markdown",
    "MediaDecoder",
    "OcrError",
    "Paragraph",
    "PdfDocument",
    "PdfPage",
    "Picture",
    "SandboxedOcr",
    "Section",
    "Table",
    "VideoInfo",
    "clip_ranges",
    "cut_clips",
    "data_uri",
    "encode_jpeg",
    "encode_png",
    "media_decoder",
    "uniform_times",
]
