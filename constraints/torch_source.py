"""Where torch comes from: prints the arguments that `pip install` takes, and tells on standard error what they mean.

Torch's pinned version is a CUDA build on the ordinary index for Linux, several GB with its libraries. `cpu` takes the CPU
build of the same version from PyTorch's own index where that answers at once, else from a wheel in a folder that pip is
configured with; only without either the CUDA build, announced with its size. Nothing but the standard library: this
runs before anything is installed.
"""

import importlib.metadata
import platform
import re
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterable
from pathlib import Path

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
ANSWER_SECONDS = 3.0
LARGE_BUILD = "about 2.7 GB to download and 4.6 GB on disk, the larger part of the installation's time"
LARGE_LIBRARIES = re.compile(r"^Requires-Dist: (?:nvidia-|cuda-|triton)", re.MULTILINE | re.IGNORECASE)


def main(kind: str, index: str = CPU_INDEX) -> None:
    """Print the arguments for `kind`, `cpu` or `cuda`; no argument where the installed torch is right already."""
    arguments, note = torch_source(kind, index, installed=installed_version(), folders=pip_folders())
    print(f"torch: {note}", file=sys.stderr)
    print(" ".join(arguments))


def torch_source(
    kind: str, index: str, *, installed: str | None, folders: Iterable[Path]
) -> tuple[list[str], str]:
    """The arguments of `pip install`, and a sentence about them."""
    is_cpu_build = installed is not None and installed.endswith("+cpu")
    if kind == "cuda":
        force = ["--force-reinstall"] if is_cpu_build else []
        return [*force, "torch>=2.8"], "the ordinary index's default build"
    version = pinned_version()
    if installed is not None and installed.split("+")[0] == version:
        return [], f"{installed} is installed"
    if platform.system() != "Linux":
        return [f"torch=={version}"], "the ordinary index serves a CPU build for this system"
    if offers_cpu_build(index, version):
        return ["--extra-index-url", index, f"torch=={version}+cpu"], f"CPU build from {index}"
    for wheel in sorted(wheel for folder in folders for wheel in folder.glob(f"torch-{version}*.whl")):
        if fits_here(wheel.name) and is_cpu_wheel(wheel):
            return [str(wheel)], f"CPU build from {wheel}"
    advice = f"put a wheel of torch=={version}+cpu into a folder and set PIP_FIND_LINKS to it"
    return [f"torch=={version}"], (
        f"no CPU build at hand ({index} does not offer one, and pip knows no folder with one); now comes the ordinary "
        f"index's build with CUDA, which runs on the CPU as well: {LARGE_BUILD}. To avoid that, press Ctrl-C and {advice}"
    )


def pinned_version() -> str:
    """The version in `cpu.txt`."""
    text = Path(__file__).with_name("cpu.txt").read_text(encoding="utf-8")
    return text.split("torch==")[1].split()[0]


def installed_version() -> str | None:
    """The version of the installed torch with its label, such as `2.13.0+cpu`."""
    try:
        return importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return None


def offers_cpu_build(index: str, version: str) -> bool:
    """Whether a package index answers in time and lists a wheel of the CPU build for this interpreter."""
    page: list[str] = []

    def read() -> None:
        try:
            with urllib.request.urlopen(f"{index.rstrip('/')}/torch/", timeout=ANSWER_SECONDS) as response:
                page.append(urllib.parse.unquote(response.read().decode("utf-8", errors="replace")))
        except (OSError, ValueError):
            pass  # no such host, no answer, no page

    # a thread, because a timeout of urllib covers neither the name's look-up nor a server that trickles
    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(ANSWER_SECONDS)
    names = re.findall(rf"torch-{re.escape(version)}\+cpu-[\w.\-]+\.whl", page[0]) if page else []
    return any(fits_here(name) for name in names)


def pip_folders() -> list[Path]:
    """The local folders among pip's `find-links`, from its configuration files and its environment."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    values = re.findall(r"find-links='(.*)'$", listed, flags=re.MULTILINE)
    places = [place.removeprefix("file://") for value in values for place in re.split(r"\\n|\s+", value)]
    return [Path(place) for place in dict.fromkeys(places) if place and Path(place).is_dir()]


def fits_here(wheel_name: str) -> bool:
    """Whether the file name of a wheel names this interpreter and this processor."""
    tag = f"-cp{sys.version_info.major}{sys.version_info.minor}-"
    return tag in wheel_name and platform.machine() in wheel_name


def is_cpu_wheel(wheel: Path) -> bool:
    """Whether a wheel of torch needs none of the CUDA libraries."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            metadata = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
            return not LARGE_LIBRARIES.search(archive.read(metadata).decode("utf-8", errors="replace"))
    except (OSError, zipfile.BadZipFile, StopIteration):
        return False


if __name__ == "__main__":
    main(*sys.argv[1:])
