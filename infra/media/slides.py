"""The slides of a deck as pages of a PDF, drawn by LibreOffice where it is installed.

A deck is hostile and LibreOffice is large, so it gets a copy of the deck, a new profile without macros and links, and below the
supervisor a process of its own (``infra/workers/confined.py``): no network, no file but its own and the system's, limits of
time, memory and size. What it makes is a PDF like any other and is read in the decoding process.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from infra.errors import MediaError
from infra.limits import MAX_SLIDES_PDF_BYTES, MAX_WORKER_BYTES, SLIDES_SECONDS
from infra.media.sandbox.process import ROOT

REASON = "slides_not_drawn"
NAMES = ("soffice", "libreoffice")
END_SECONDS = 10.0  # for the supervisor to end what is left
PROFILE = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry" xmlns:xs="http://www.w3.org/2001/XMLSchema">
{items}
</oor:items>
"""
ITEM = (
    '<item oor:path="/org.openoffice.Office.{path}"><prop oor:name="{name}" oor:op="fuse">'
    "<value>{value}</value></prop></item>"
)
SETTINGS = (
    ("Common/Security/Scripting", "MacroSecurityLevel", "3"),  # very high
    ("Common/Security/Scripting", "DisableMacrosExecution", "true"),
    ("Common/Security/Scripting", "BlockUntrustedRefererLinks", "true"),
    ("Common/Security/Scripting", "DisableActiveContent", "true"),  # known to later versions than 7.4
    ("Common/Misc", "UseLocking", "false"),
    ("Java/VirtualMachine", "Enable", "false"),
)


def soffice() -> Path | None:
    """LibreOffice's program on the path; None if there is none."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    return Path(found).resolve() if found else None


def kept_from() -> tuple[str, ...]:
    """What this system keeps LibreOffice from: "network", "files" of others."""
    with tempfile.TemporaryDirectory(prefix="vimrag-") as folder:
        command = (sys.executable, "-P", "-m", "infra.workers.confined", "--probe", "--folder", folder)
        environment = {"PATH": os.defpath, "PYTHONPATH": str(ROOT)}
        asked = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
    return tuple(word for word in ("network", "files") if word in asked.stdout.split())


def slides_pdf(deck: Path, *, wall_s: float = SLIDES_SECONDS) -> bytes:
    """The slides of a deck that are shown, a page each.

    Raises:
        MediaError: ``slides_not_drawn``, with why.
    """
    program = soffice()
    if program is None:
        raise MediaError(REASON, "LibreOffice is not installed")
    with tempfile.TemporaryDirectory(prefix="vimrag-slides-") as name:
        folder = Path(name).resolve()
        copy = folder / f"deck{deck.suffix.lower()}"
        try:
            shutil.copyfile(deck, copy)
            _write_profile(folder)
        except OSError as error:
            raise MediaError(REASON, error.strerror or type(error).__name__) from error
        complaint = _run(_command(program, folder, copy.name, wall_s), folder, wall_s)
        return _made(folder / "deck.pdf", complaint)


def _write_profile(folder: Path) -> None:
    user = folder / "profile" / "user"
    user.mkdir(parents=True)
    items = "\n".join(ITEM.format(path=path, name=name, value=value) for path, name, value in SETTINGS)
    (user / "registrymodifications.xcu").write_text(PROFILE.format(items=items), encoding="utf-8")


def _command(program: Path, folder: Path, deck: str, wall_s: float) -> list[str]:
    home = program.parent.parent if program.parent.name == "program" else program.parent
    return [
        *(sys.executable, "-P", "-m", "infra.workers.supervisor", "--grace-s", "1", "--"),
        *(sys.executable, "-P", "-m", "infra.workers.confined", "--folder", str(folder)),
        *("--readable", str(home), "--cpu-s", str(int(wall_s) + 1)),
        *("--file-bytes", str(MAX_SLIDES_PDF_BYTES), "--memory-bytes", str(MAX_WORKER_BYTES), "--"),
        *(str(program), "-env:UserInstallation=file://{folder}/profile", "--headless", "--norestore"),
        *("--nologo", "--nodefault", "--nofirststartwizard", "--nolockcheck"),
        *("--convert-to", "pdf:impress_pdf_Export", "--outdir", "{folder}", f"{{folder}}/{deck}"),
    ]


def _run(command: list[str], folder: Path, wall_s: float) -> str:
    """What the last line of complaint was. Raises ``MediaError`` after ``wall_s`` seconds."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            start_new_session=True,
        )
        try:
            process.wait(timeout=wall_s)
        except subprocess.TimeoutExpired:
            raise MediaError(REASON, f"LibreOffice was not done in {wall_s:g} s") from None
        finally:
            _end(process)
        complaints.seek(0)
        return complaints.read()[-2000:].decode(errors="replace").strip().rpartition("\n")[2][:200]


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the supervisor, which ends all that it began."""
    process.terminate()
    try:
        process.wait(timeout=END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()  # its guard ends the rest
        process.wait()


def _made(pdf: Path, complaint: str) -> bytes:
    try:
        is_file = pdf.is_file() and not pdf.is_symlink() and pdf.stat().st_size <= MAX_SLIDES_PDF_BYTES
        data = pdf.read_bytes() if is_file else b""
    except OSError as error:
        raise MediaError(REASON, error.strerror or type(error).__name__) from error
    if not data.startswith(b"%PDF-"):
        raise MediaError(REASON, f"LibreOffice made no PDF{f': {complaint}' if complaint else ''}")
    return data
