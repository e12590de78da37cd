"""Options that several commands share, so that they read and behave alike."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.errors import UsageError, usage_errors
from infra.errors import unknown_name
from infra.limits import PAGE_DPI

if TYPE_CHECKING:
    from assets.user_files.ingest import IngestSettings
    from infra.workers.local import WorkerEngine

Root = Annotated[
    str,
    typer.Option(
        "--root",
        envvar="VIMRAG_ROOT",
        help="Where corpus and index live: a folder, or s3://bucket/prefix.",
        show_default=False,
    ),
]
JsonFlag = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on standard output and nothing else there.")
]
Datasets = Annotated[
    str | None,
    typer.Option(
        "--datasets",
        help="Some of the datasets, by comma: hotpotqa,squad; one's own files are 'documents'.",
        metavar="A,B",
    ),
]

EngineName = Annotated[
    str,
    typer.Option("--engine", help="Who does the heavy part: local (this machine) or ray (Ray Data)."),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        max=4096,
        help="Processes of the engine.",
        show_default="1 for local, one a core for ray",
    ),
]
OcrModel = Annotated[
    Path | None,
    typer.Option(
        "--ocr-model",
        envvar="VIMRAG_OCR_MODEL",
        metavar="PATH",
        help="PP-OCR recognition model of other scripts: an .onnx file of this machine, or its folder.",
        show_default="the one in the package",
    ),
]
Dpi = Annotated[
    int, typer.Option("--dpi", min=18, max=600, help="Resolution at which PDF pages are rendered.")
]
NoOcr = Annotated[
    bool, typer.Option("--no-ocr", help="Do not read text in images and scanned pages: much faster.")
]
NoSlides = Annotated[
    bool, typer.Option("--no-slides", help="Do not draw slides, even where LibreOffice is installed.")
]
SpeechFolder = Annotated[
    Path | None,
    typer.Option(
        "--speech",
        metavar="FOLDER",
        help="Hear what is said in films and sound files without subtitles, with the Whisper model for CTranslate2 in "
        r"this folder; needs vimrag\[speech].",
        show_default=False,
    ),
]
Model = Annotated[
    str,
    typer.Option(
        "--model", envvar="VIMRAG_MODEL", help="Checkpoint folder, or the name of a model at the endpoint."
    ),
]
Endpoint = Annotated[
    str,
    typer.Option(
        "--endpoint", envvar="VIMRAG_ENDPOINT", help="OpenAI-compatible address, usually ending in /v1."
    ),
]
MaxTokens = Annotated[
    int | None, typer.Option("--max-tokens", min=1, max=1_000_000, help="Longest reply of the model.")
]
Temperature = Annotated[
    float | None,
    typer.Option("--temperature", min=0.0, max=2.0, help="0 always draws the likeliest token."),
]
Timeout = Annotated[
    float,
    typer.Option(
        "--timeout",
        min=1,
        max=86400,
        help="Longest silence of the model, in seconds; a whole answer may take longer.",
    ),
]
Profile = Annotated[
    str,
    typer.Option(
        "--profile",
        help="Prompts and limits: full, or compact for what was trained on the miniature; by default those it was trained with.",
    ),
]
PriceOption = Annotated[
    str | None,
    typer.Option(
        "--prices", metavar="IN,OUT", help="What a million tokens cost, read and written; shows the cost."
    ),
]


def known_profile(name: str) -> str:
    """The name of a prompt profile. Raises ``UsageError`` for another one."""
    from model.agent.prompts import PROFILES

    if name and name not in PROFILES:
        raise UsageError(unknown_name("profile", name, PROFILES))
    return name


def reading_of(
    *,
    dpi: int = PAGE_DPI,
    no_ocr: bool = False,
    ocr_model: Path | None = None,
    no_slides: bool = False,
    speech: Path | None = None,
) -> IngestSettings:
    """How one's own files are read: alike, whether a command names them or the page of a server sends them.

    Raises:
        UsageError: if the model that reads pictures, or the one that hears, cannot be used.
    """
    from assets.parsers.images import read_by
    from assets.parsers.types import ParseContext
    from assets.user_files.ingest import IngestSettings
    from assets.user_files.media.hearing import speech_of
    from infra.media import ocr_reader, speech_model

    with usage_errors():
        reader = None if no_ocr else ocr_reader(ocr_model)
        heard = None if speech is None else speech_of(speech_model(speech))
    return IngestSettings(reading=read_by(reader, ParseContext(dpi=dpi)), slides=not no_slides, speech=heard)


def engine_or_none(name: str, workers: int | None) -> WorkerEngine | None:
    """The engine of the options; None for one local worker, which is this process and needs none.

    Raises:
        UsageError: if it is unknown or not installed.
    """
    from infra.workers.local import engine_of

    with usage_errors():
        return None if name == "local" and workers in (None, 1) else engine_of(name, workers=workers)


def refuse_typo(root: str) -> None:
    """Raise ``UsageError`` for a folder that is not there where one of almost the same name is."""
    from infra.errors import nearest_name

    if "://" in root:
        return
    folder = Path(root).expanduser()
    if folder.exists() or not folder.parent.is_dir():
        return
    beside = (
        each.name for each in folder.parent.iterdir() if each.is_dir() and not each.name.startswith(".")
    )
    if near := nearest_name(folder.name, beside, cutoff=0.75):
        raise UsageError(f"there is no root {root!r}; did you mean {str(folder.parent / near)!r}?")


def comma_separated(text: str | None) -> list[str] | None:
    """The names of ``--datasets``, each once; None if it was not given. Raises ``UsageError`` for none at all."""
    if text is None:
        return None
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise UsageError("--datasets names no dataset")
    return names


def dataset_names(text: str | None) -> list[str] | None:
    """``comma_separated``, of datasets that this program knows.

    Raises:
        UsageError: if one of them is unknown; it names the nearest one.
    """
    if (names := comma_separated(text)) is None:
        return None
    from assets.corpus.dataset import DATASETS
    from assets.user_files.reading import DATASET as OWN

    known = (*DATASETS, OWN)
    for name in names:
        if name not in known:
            raise UsageError(unknown_name("dataset", name, known))
    return names


def command_group(purpose: str) -> typer.Typer:
    """A group of commands; one that has a single command is still called by both names."""
    app = typer.Typer(help=purpose, no_args_is_help=True)
    app.callback(help=purpose)(lambda: None)
    return app
