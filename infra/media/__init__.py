"""Documents, images and videos: decoded in a limited process, encoded here.

This is the one public face. The raw decoders, whose names begin with a line, are imported by
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
from infra.media.decoding import MediaDecoder, SandboxedOcr, cut_clips, media_decoder
from infra.media.encoding import data_uri, encode_jpeg, encode_png
from infra.media.ocr import MODEL_VARIABLE, ocr_model, ocr_reader, package_model
from infra.media.opened import OpenImages, OpenSound, PdfDocument
from infra.media.slides import kept_from, slides_pdf, soffice
from infra.media.speech import SandboxedSpeech, speech_model
from infra.media.tiles import Box, grid_boxes, is_strip, strip_boxes, widened
from infra.media.types import (
    ClipRange,
    Frame,
    OcrError,
    PageFacts,
    PdfPage,
    SpeechError,
    SubtitleLine,
    SubtitleTrack,
    VideoInfo,
    clip_ranges,
    uniform_times,
)

__all__ = [
    "MODEL_VARIABLE",
    "Attachment",
    "Block",
    "Box",
    "ClipRange",
    "Document",
    "Frame",
    "Gap",
    "Heading",
    "Markdown",
    "MediaDecoder",
    "OcrError",
    "OpenImages",
    "OpenSound",
    "PageFacts",
    "Paragraph",
    "PdfDocument",
    "PdfPage",
    "Picture",
    "SandboxedOcr",
    "SandboxedSpeech",
    "Section",
    "SpeechError",
    "SubtitleLine",
    "SubtitleTrack",
    "Table",
    "VideoInfo",
    "clip_ranges",
    "cut_clips",
    "data_uri",
    "encode_jpeg",
    "encode_png",
    "grid_boxes",
    "is_strip",
    "kept_from",
    "media_decoder",
    "ocr_model",
    "ocr_reader",
    "package_model",
    "slides_pdf",
    "soffice",
    "speech_model",
    "strip_boxes",
    "uniform_times",
    "widened",
]
