"""A failed step tells its cause first: in the first line of its error, not below the frames of a framework.

What a person can mend (a value, a missing file, a server that is down) ends a step without a stack of frames and is not tried
again; anything else keeps them. What a launched process ended with travels in a small file of its own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg

from infra.errors import ExternalError
from orchestration.launch.commands import CAUSE_VARIABLE


@contextmanager
def cause_first() -> Iterator[None]:
    """Errors that say what was wrong and what to do become the failure itself."""
    try:
        yield
    except (ValueError, FileNotFoundError, ExternalError) as error:
        raise dg.Failure(str(error), allow_retries=False) from error


@contextmanager
def cause_of_process(name: str) -> Iterator[dict[str, str]]:
    """Environment of a process that writes what it ended with; if it fails, that is the failure."""
    with TemporaryDirectory(prefix="cause-") as folder:
        path = Path(folder, "cause")
        try:
            yield {CAUSE_VARIABLE: str(path)}
        except dg.DagsterExecutionInterruptedError:
            raise
        except Exception as error:
            told = path.read_text(errors="replace").strip() if path.is_file() else ""
            ended = told or f"{error}; its output is in the logs of the step"
            raise dg.Failure(f"{name}: {ended}", allow_retries=False) from error
