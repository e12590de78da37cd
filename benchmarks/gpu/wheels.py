"""Collects what a machine without a network lacks to run ``run.py``: one folder of wheels, its size told::

    python benchmarks/gpu/wheels.py --python 3.12 --out wheelhouse [--limit-mib 60]

There (with torch, CUDA and a driver, which no folder of this size can hold)::

    python3 -m pip install --no-index --no-deps --target site wheelhouse/*.whl
    PYTHONPATH=site python3 benchmarks/gpu/run.py --minutes 9 --out gpu-results

Versions are those of this environment. DeepSpeed has no wheel; its Python part is built here, its compiled operations are
not and ``run.py`` needs none. What does not fit or cannot be had is left out and named: each step says what it does without.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# most needed first, each followed by all that it needs; what does not fit any more is left out from the end
ROOTS = ("cachetools", "transformers", "pillow", "pydantic", "peft", "deepspeed")
# of the other machine: torch, what torch brings, and numpy, which torch was built against
THERE = ("torch", "numpy", "sympy", "networkx", "jinja2", "markupsafe", "mpmath", "triton", "setuptools")
SOURCE_ONLY = ("deepspeed",)
LIMIT_MIB = 60.0


def installed(name: str) -> str | None:
    """The version here; None where it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def needed(python: str) -> list[str]:
    """The roots and everything that they need, by the metadata installed here, in order and once."""
    found: dict[str, None] = {}

    def visit(name: str) -> None:
        if name in found or name in THERE:
            return
        found[name] = None
        for text in importlib.metadata.requires(name) or () if installed(name) else ():
            wanted = Requirement(text)
            environment = {"python_version": python, "python_full_version": f"{python}.0", "extra": ""}
            if wanted.marker is None or wanted.marker.evaluate(environment):
                visit(canonicalize_name(wanted.name))

    for root in ROOTS:
        visit(root)
    return list(found)


def pip_command(name: str, version: str, python: str, folder: Path) -> list[str]:
    """What fetches, or builds, one wheel."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    if name in SOURCE_ONLY:
        return [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), f"{name}=={version}"]
    platforms = [f"--platform=manylinux_2_{minor}_x86_64" for minor in (28, 27, 24, 17)]
    return [*pip, "download", "--no-deps", "--only-binary=:all:", f"--python-version={python}", "--implementation=cp",
            *platforms, "--platform=manylinux2014_x86_64", "--platform=any", "-d", str(folder), f"{name}=={version}"]  # fmt: skip


def collect(python: str, out: Path, limit_mib: float) -> dict[str, object]:
    """The folder, and the list of what is in it and what is not."""
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("*.whl"):
        old.unlink()
    kept: list[dict[str, object]] = []
    left_out: list[str] = []
    total = 0
    for name in needed(python):
        version = installed(name)
        if version is None:
            left_out.append(f"{name}: not installed here")
            continue
        with tempfile.TemporaryDirectory() as fetched:
            done = subprocess.run(
                pip_command(name, version, python, Path(fetched)), capture_output=True, text=True
            )
            wheels = sorted(Path(fetched).glob("*.whl"))
            if done.returncode or not wheels:
                reason = (done.stderr.strip().splitlines() or ["no wheel"])[-1]
                left_out.append(f"{name} {version}: {reason[:160]}")
                continue
            size = wheels[0].stat().st_size
            if total + size > limit_mib * 2**20:
                left_out.append(
                    f"{name} {version}: {size / 2**20:.1f} MiB do not fit below {limit_mib:g} MiB"
                )
                continue
            total += size
            (out / wheels[0].name).write_bytes(wheels[0].read_bytes())
            kept.append({"wheel": wheels[0].name, "bytes": size})
    return {
        "python": python,
        "wheels": kept,
        "bytes": total,
        "mib": round(total / 2**20, 2),
        "left_out": left_out,
    }


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="A folder of wheels for a machine without a network.")
    parser.add_argument("--python", default="3.12", help="version there")
    parser.add_argument("--out", type=Path, default=Path("wheelhouse"))
    parser.add_argument("--limit-mib", type=float, default=LIMIT_MIB)
    arguments = parser.parse_args(given)
    found = collect(arguments.python, arguments.out, arguments.limit_mib)
    (arguments.out / "carry.json").write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
