"""Checks of this machine: disk, processor and GPU, OCR, slides, films, speech, a browser. Nothing heavy is imported for them."""

import importlib.util
import os
import shutil
import subprocess
import webbrowser
from pathlib import Path

from app.commands.health.types import Check, State

LEAST_FREE = 2 * 1024**3  # bytes; one checkpoint, or the pages of a few hundred documents
ASKED_S = 10.0
BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "firefox",
    "microsoft-edge",
    "brave-browser",
    "safari",
)


def machine_checks(folder: Path) -> list[Check]:
    """All of them; ``folder`` is where the root lies, or will lie."""
    return [disk(folder), gpu(), ocr(), slides(), films(), speech(), browser()]


def disk(folder: Path) -> Check:
    """Room for what is read, rendered and indexed."""
    place = next((each for each in (folder, *folder.parents) if each.is_dir()), Path("/"))
    free = shutil.disk_usage(place).free
    detail = f"{free / 1024**3:,.1f} GiB free at {place}"
    if not os.access(place, os.W_OK):
        return Check(
            name="disk",
            state=State.FAILED,
            detail=f"{place} cannot be written",
            remedy="choose another --root",
        )
    if free < LEAST_FREE:
        return Check(
            name="disk", state=State.FAILED, detail=detail, remedy="free some space, or put --root elsewhere"
        )
    return Check(name="disk", state=State.OK, detail=detail)


def gpu() -> Check:
    """An NVIDIA GPU, for training and checkpoints of this machine; a served model needs none here."""
    command = shutil.which("nvidia-smi")
    if command is not None:
        query = [command, "--query-gpu=name,memory.total", "--format=csv,noheader"]
        try:
            listed = subprocess.run(query, capture_output=True, text=True, timeout=ASKED_S, check=True).stdout
        except (OSError, subprocess.SubprocessError):
            listed = ""
        if names := "; ".join(line.strip() for line in listed.splitlines() if line.strip()):
            return Check(name="GPU", state=State.OK, detail=names)
    return Check(
        name="GPU",
        state=State.MISSING,
        detail=f"none found; {os.cpu_count()} processor cores",
        remedy="none is needed to ask a served model; for training see docs/hardware.md",
    )


def ocr() -> Check:
    """Words of scanned pages and pictures, and the scripts they may have."""
    if not _has("rapidocr"):
        return Check(
            name="OCR",
            state=State.FAILED,
            detail="rapidocr is not installed",
            remedy="pip install rapidocr onnxruntime",
        )
    from infra.errors import ExternalError
    from infra.media import MODEL_VARIABLE, ocr_model, package_model

    named = os.environ.get(MODEL_VARIABLE)
    try:
        if named:
            chosen = ocr_model(named)
            known, scripts = chosen.path, chosen.scripts
        else:
            model = package_model()
            known, scripts = f"{model.name} of its package", model.scripts
    except (ExternalError, ValueError) as error:
        remedy = f"correct or unset {MODEL_VARIABLE}" if named else "pip install --force-reinstall rapidocr"
        return Check(name="OCR", state=State.FAILED, detail=str(error), remedy=remedy)
    detail = f"RapidOCR with {known}, which knows {', '.join(scripts)}"
    return Check(name="OCR", state=State.OK, detail=detail)


def slides() -> Check:
    """LibreOffice, which draws slides, and what it is kept from."""
    from infra.media import kept_from, soffice

    program = soffice()
    if program is None:
        return Check(
            name="slides",
            state=State.MISSING,
            detail="no soffice on the path: decks are read by their words and pictures",
            remedy="apt install libreoffice-impress draws them too",
        )
    held = kept_from()
    if len(held) == 2:
        return Check(name="slides", state=State.OK, detail=f"{program}, without network and other files")
    return Check(
        name="slides",
        state=State.MISSING,
        detail=f"{program} draws them, but this system keeps it from {held[0] if held else 'nothing'} only",
        remedy="allow user namespaces and Landlock, or vimrag ingest --no-slides for decks of strangers",
    )


def films() -> Check:
    """Decoding and cutting of films."""
    ffmpeg = shutil.which("ffmpeg")
    if not _has("av"):
        return Check(
            name="films", state=State.FAILED, detail="PyAV is not installed", remedy="pip install av"
        )
    beside = f"ffmpeg at {ffmpeg}" if ffmpeg else "no ffmpeg on the path, none is needed"
    return Check(name="films", state=State.OK, detail=f"PyAV; {beside}")


def speech() -> Check:
    """Hearing what is said in films without subtitles."""
    if _has("faster_whisper"):
        detail = (
            "faster-whisper; --speech FOLDER of vimrag ingest and vimrag serve hears films without subtitles"
        )
        return Check(name="speech", state=State.OK, detail=detail)
    return Check(
        name="speech",
        state=State.MISSING,
        detail="faster-whisper is not installed; films have the words of their subtitles",
        remedy="pip install 'vimrag[speech]', then --speech FOLDER for vimrag ingest and vimrag serve",
    )


def browser() -> Check:
    """Something that opens the page of ``vimrag serve``."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        try:
            found = webbrowser.get().__class__.__name__
        except webbrowser.Error:
            return Check(
                name="browser",
                state=State.MISSING,
                detail="none on this machine",
                remedy="open the page from another one: vimrag serve --host ADDRESS with VIMRAG_TOKEN set",
            )
    return Check(name="browser", state=State.OK, detail=found)


def _has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None
