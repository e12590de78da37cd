"""``PUT /v1/files/{name}``: one file into the corpus, as ``vimrag ingest`` would take it; ``GET /v1/reading``: how far it is.

The body is the file. It is kept below ``uploads/`` of the root under its name, so that another file of this name takes its
place, which the answer says; one that cannot be read takes nobody's place.
"""

import asyncio
import os
import time
import unicodedata
from collections.abc import AsyncGenerator
from pathlib import Path

from anyio import open_file, to_thread
from fastapi import APIRouter
from starlette.requests import ClientDisconnect, Request

from app.server.errors import ApiError
from app.server.protection.body_limit import too_large
from app.server.schema.responses import Reading, ReadingStage, UploadedFile
from app.server.state import ServerState
from assets.user_files.ingest import IngestReport, ingest
from infra.storage.atomic import replacing

FOLDER = "uploads"
SILENCE_S = 60.0  # of whoever sends a file
MAX_NAME_BYTES = 200  # file systems take 255, and the partial file needs some

router = APIRouter(tags=["files"])


@router.put(
    "/v1/files/{name:path}",
    openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": {}}}},
)
async def put_file(request: Request, name: str) -> UploadedFile:
    """Make a file searchable: PDF, image, text, Markdown or video."""
    state: ServerState = request.app.state.server
    folder = state.corpus.storage.local_path(FOLDER)
    if not state.settings.upload or folder is None:
        raise ApiError(403, "no_upload", "this server takes no files; start it with --allow-upload")
    target = folder / safe_name(name)
    began_s = time.monotonic()
    with state.uploads.take():
        arrived = folder / f".{target.name}.arrived"  # hidden from whoever reads the folder meanwhile
        try:
            await _receive(request, arrived, state.settings.upload_bytes)
            return await to_thread.run_sync(_ingest, arrived, target, state, began_s)
        finally:
            arrived.unlink(missing_ok=True)


@router.get("/v1/reading")
async def reading(request: Request) -> Reading:
    """What is done at the moment with a file that was sent, or is read again."""
    stage = request.app.state.server.reading_now.stage
    if stage is None:
        return Reading(reading=None)
    return Reading(
        reading=ReadingStage(
            stage=stage.name,
            done=stage.done,
            total=stage.total,
            seconds=round(time.monotonic() - stage.began_s, 1),
        )
    )


def safe_name(name: str) -> str:
    """The name if it is only that. Raises ``ApiError`` for a path, a hidden file or one that no disk would take."""
    plain = unicodedata.normalize("NFC", name)
    bad = (
        not plain.strip()
        or plain.startswith(".")
        or any(char in "/\\:\ufffd" or not char.isprintable() for char in plain)
        or len(plain.encode(errors="replace")) > MAX_NAME_BYTES
    )
    if bad:
        raise ApiError(
            400, "malformed", "the name of a file is a plain name, without a path, at most 200 bytes long"
        )
    return plain


async def _receive(request: Request, target: Path, limit: int) -> None:
    """The body into ``target``, whole or not at all."""
    size = 0
    try:
        with replacing(target) as partial:
            async with await open_file(partial, "wb") as file:
                chunks = request.stream()
                while (chunk := await _next(chunks)) is not None:
                    size += len(chunk)
                    if size > limit:
                        raise too_large(limit)
                    await file.write(chunk)
            if not size:
                raise ApiError(400, "malformed", "the file is empty")
    except ClientDisconnect:
        raise ApiError(400, "malformed", "the file did not arrive whole") from None


async def _next(chunks: AsyncGenerator[bytes]) -> bytes | None:
    """The next part of the body; None after the last. Raises ``ApiError`` for a sender that fell silent."""
    try:
        async with asyncio.timeout(SILENCE_S):
            return await anext(chunks, None)
    except TimeoutError:
        raise ApiError(408, "too_slow", f"nothing came for {SILENCE_S:g} seconds") from None


def _ingest(arrived: Path, target: Path, state: ServerState, began_s: float) -> UploadedFile:
    """Read what arrived as ``target``; what was there before comes back if nothing can be read of it, or nothing is read."""
    before = arrived.with_suffix(".before") if target.exists() else None
    if before is not None:
        before.unlink(missing_ok=True)
        os.link(target, before)
    items = 0
    try:
        arrived.replace(target)
        report = _read(target, state)
        items = sum(file.items for file in report.files)
    finally:
        if before is None and not items:
            target.unlink(missing_ok=True)
        elif before is not None:
            before.unlink() if items else before.replace(target)
    if before is not None and not items:
        _read(target, state)  # which was read once and is not again
    return UploadedFile(
        file=target.name,
        items=items,
        skipped=dict(report.skipped),
        replaced=before is not None and items > 0,
        seconds=round(time.monotonic() - began_s, 3),
    )


def _read(target: Path, state: ServerState) -> IngestReport:
    try:
        with state.reading_now.reading() as progress:
            return ingest([target], state.corpus.storage, settings=state.reading, progress=progress)
    except ValueError as error:
        raise ApiError(409, "refused", str(error)) from error
