"""Measures what the GPU path promises, in the minutes that are there::

    python benchmarks/gpu/run.py --minutes 9 --out results/
    python benchmarks/gpu/run.py --dry-run --out /tmp/dry     # toy shapes on a CPU, under three minutes

``gpu.jsonl`` in the folder gets a line at once for whatever is known; ``calibration.json`` (for ``vimrag plan --calibration``)
and the comparison with the plan come last, from its lines. Exit code 0 when every step ended, 3 when one failed or was
cut, 2 when nothing can run here; the rest of the steps run in any case. ``benchmarks/gpu/wheels.py`` collects what a machine
without a network lacks.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault(
    "PYTORCH_NVML_BASED_CUDA_CHECK", "1"
)  # asking for a GPU must not touch it before the fork
os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from benchmarks.gpu.bounded import Emit, run_bounded
from benchmarks.gpu.capabilities import has, missing
from benchmarks.gpu.records import Record, State, append
from benchmarks.gpu.sizes import REAL, Sizes, dry
from benchmarks.gpu.steps import STEPS, Step

RESERVED_S = 6.0  # for the plan at the end and for ending processes
LEAST_S = 4.0  # a step is not begun with less


def limit_of(step: Step, rest: Sequence[Step], left_s: float) -> float:
    """Seconds of ``step``: its share of what is left, so that what one step saves goes to the later ones."""
    return left_s * step.share / sum(each.share for each in (step, *rest))


class Run:
    """One run: its file, its clock, its steps."""

    def __init__(self, out: Path, sizes: Sizes, *, minutes: float, method: str) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self.results, self.log, self.calibration = (
            out / "gpu.jsonl",
            out / "gpu.log",
            out / "calibration.json",
        )
        self.results.write_text("")
        self._began = time.monotonic()
        self._until = self._began + 60 * minutes
        self._sizes, self._method = sizes, method
        self.bad: list[str] = []

    def write(self, record: Record) -> None:
        """One more line."""
        stamped = Record(
            step=record.step, part=record.part, state=record.state, figures=record.figures, note=record.note,
            at_s=round(time.monotonic() - self._began, 2),
        )  # fmt: skip
        append(self.results, stamped)
        print(
            f"{stamped.at_s:7.1f} s  {stamped.step:16} {stamped.state:9} {stamped.part} {stamped.note[:100]}",
            flush=True,
        )

    def steps(self, steps: Sequence[Step]) -> None:
        """All of them, whatever becomes of each."""
        for number, step in enumerate(steps):
            left_s = self._until - time.monotonic() - RESERVED_S
            limit_s = limit_of(step, steps[number + 1 :], left_s)
            if limit_s < LEAST_S:
                self.write(
                    Record(
                        step=step.name,
                        state=State.SKIPPED,
                        note=f"only {max(0.0, limit_s):.1f} s were left for it",
                    )
                )
                self.bad.append(step.name)
                continue
            ended = self.bounded(step.name, step.work(self._sizes), limit_s)
            if step.module == "machine" and ended.state is State.FAILED and self._method == "fork":
                self._method = "spawn"  # a fork cannot use the device here; costs an import a step
                self.write(
                    Record(
                        step=step.name,
                        state=State.SKIPPED,
                        note="from here on every step starts a fresh interpreter",
                    )
                )
                self.bounded(step.name, step.work(self._sizes), limit_s)

    def plan(self) -> None:
        """The comparison, in what was kept for it."""
        from benchmarks.gpu import plan

        self.bounded(
            "plan",
            partial(plan.run, self.results, self.calibration, self._sizes),
            3 * RESERVED_S,
            method="fork",
        )

    def bounded(
        self, name: str, work: Callable[[Emit], None], limit_s: float, *, method: str | None = None
    ) -> Record:
        """One step; how it ended is a line too."""
        ended = run_bounded(
            name, work, limit_s=limit_s, hand_on=self.write, log=self.log, method=method or self._method
        )
        self.write(ended)
        if ended.state is not State.DONE:
            self.bad.append(name)
        return ended


def chosen(only: str | None) -> tuple[Step, ...]:
    """The steps named, in the order of their worth. ``SystemExit`` names one that is not known."""
    names = [each.name for each in STEPS]
    wanted = names if only is None else only.split(",")
    if unknown := [name for name in wanted if name not in names]:
        raise SystemExit(f"unknown step {unknown[0]!r}; known: {', '.join(names)}")
    return tuple(each for each in STEPS if each.name in wanted)


def preload(*, everything: bool) -> None:
    """Loads once what every step would load; touches no device.

    ``everything`` is for dry runs: DeepSpeed looks for a device when it is loaded, which spoils forks where there is one.
    """
    import torch  # noqa: F401
    import transformers.models.qwen3_vl.modeling_qwen3_vl  # noqa: F401

    import model.training.trainer  # noqa: F401

    if everything and not Path("/dev/nvidiactl").exists():
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
        for name in ("deepspeed", "peft"):
            if has(name):
                importlib.import_module(name)


def main(given: Sequence[str] | None = None, *, steps: Sequence[Step] | None = None) -> int:
    """``steps`` are those of ``STEPS`` unless a test brings its own."""
    parser = argparse.ArgumentParser(description="Measures the GPU path in the minutes that are there.")
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--dry-run", action="store_true", help="toy shapes; the figures mean nothing")
    parser.add_argument("--only", help="steps, with commas between them")
    parser.add_argument(
        "--out", type=Path, default=Path("gpu-results"), help="folder; its gpu.jsonl is replaced"
    )
    parser.add_argument(
        "--start", choices=("fork", "spawn"), default="fork", help="how a step's process begins"
    )
    arguments = parser.parse_args(given)
    if absent := missing():
        print(f"missing here: {', '.join(absent)}; benchmarks/gpu/wheels.py collects them", file=sys.stderr)
        return 2
    todo = steps if steps is not None else chosen(arguments.only)
    run = Run(
        arguments.out, dry() if arguments.dry_run else REAL, minutes=arguments.minutes, method=arguments.start
    )
    if arguments.start == "fork" and steps is None:
        preload(everything=arguments.dry_run)
    run.steps(todo)
    run.plan()
    print(
        f"{run.results} ({'toy shapes: no figure of it means anything' if arguments.dry_run else 'measured'})"
    )
    return 3 if run.bad else 0


if __name__ == "__main__":
    sys.exit(main())
