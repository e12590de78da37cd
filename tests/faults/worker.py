"""A process of the drill: ``python -m tests.faults.worker ORDER``, or forked with the large libraries loaded.

It does a stage as production does it. Only its clock, its environment and the moment of the fault come from outside: a hook
of the interpreter sees each file that is opened, renamed or removed, and acts when the point of the order is reached.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any

from tests.faults import acts
from tests.faults.orders import Order

FAILED, INTERRUPTED, UNNAMED = 1, 143, 4
EVENTS = {"os.rename": "rename", "os.remove": "remove", "shutil.rmtree": "remove"}


class InterruptedRunError(BaseException):
    """SIGTERM; as a step of Dagster is told it."""


def main() -> int:
    """Do what the order says."""
    return obey(Order.from_json(sys.argv[1]))


def obey(order: Order) -> int:
    """Do the stage; the exit code, which also goes to the file ``told`` with what was wrong."""
    os.environ.update(order.environment)
    shift_clock(order.clock_s)
    signal.signal(signal.SIGTERM, _interrupt)
    code, said = _done(order)
    if order.told:
        partial = Path(f"{order.told}.{os.getpid()}")
        partial.write_text(json.dumps({"code": code, "said": said}))
        partial.rename(order.told)
    return code


def _done(order: Order) -> tuple[int, str]:
    from infra.errors import ExternalError

    try:
        run = stage_function(order)
        if order.point:
            arm(order)
        run()
    except InterruptedRunError:
        return INTERRUPTED, "interrupted"
    except (ExternalError, ValueError, OSError) as error:  # what the command line says in one line
        return FAILED, f"{type(error).__name__}: {error}"
    except Exception as error:
        return UNNAMED, f"{type(error).__name__}: {error}"
    return 0, ""


def stage_function(order: Order) -> Any:
    """What the stage does, with everything loaded."""
    if order.stage in ("training", "evaluation"):
        from tests.faults import learning

        return learning.stage(order)
    from tests.faults import stages

    return stages.stage(order)


def arm(order: Order) -> None:
    """Act once, when the point is reached."""
    point, act = order.point, order.act
    assert point and act
    armed, pattern = [True], re.compile(point.path)

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if not armed or _kind(event, arguments) != point.event:
            return
        path = arguments[1] if event == "os.rename" else arguments[0]
        if isinstance(path, str | bytes | os.PathLike) and pattern.search(os.fsdecode(path)):
            armed.clear()
            Path(order.struck).touch()
            acts.do(act)

    sys.addaudithook(watch)


def _kind(event: str, arguments: tuple[Any, ...]) -> str:
    """As points call it; a folder is opened by its lock alone, and by descriptor, which has no mode."""
    if event != "open":
        return EVENTS.get(event, "")
    if arguments[1] is None:
        return "lock"
    return "write" if set(str(arguments[1])) & set("wxa+") else ""


def shift_clock(seconds: float) -> None:
    """This process reads a clock that is so far ahead; not gRPC, half of which is no Python and would see another."""
    if not seconds:
        return
    right, right_ns = time.time, time.time_ns

    def shifted() -> float:
        caller = sys._getframe(1).f_globals.get("__name__", "")
        return right() + (0.0 if caller.startswith("grpc") else seconds)

    time.time = shifted
    time.time_ns = lambda: right_ns() + int(seconds * 1e9)


def _interrupt(_number: int, _frame: object) -> None:
    raise InterruptedRunError


if __name__ == "__main__":
    sys.exit(main())
