"""A caption beside every clip, as ``<clip>.txt``: the text by which a search that reads finds a film that says nothing.

The parser takes it for what is said in the clip. All clips get one or, on request, none: were only those of questions
captioned, they would be found by that alone.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from assets.xvbench_builder.build import PATIENCE
from assets.xvbench_builder.judging import ENDPOINT_FAILED
from assets.xvbench_builder.protocols import Describer
from assets.xvbench_builder.records import ClipFile
from infra.errors import EndpointError, MediaError
from infra.llm.client import RequestBudgetError
from infra.progress import ProgressListener
from infra.storage.root import Storage


class CaptioningResult(NamedTuple):
    """What came of it. ``without`` counts clips without a caption by reason; ``complete`` is False if the run was ended."""

    written: int
    without: dict[str, int]
    complete: bool


async def caption_clips(
    clips: Sequence[ClipFile], describer: Describer, *, at_once: int, progress: ProgressListener
) -> CaptioningResult:
    """Caption every clip; ended by the budget, or by an endpoint that fails at several windows in a row."""
    written, failed_in_a_row = 0, 0
    without: Counter[str] = Counter()
    waiting, done = iter(clips), 0
    while window := list(islice(waiting, at_once)):
        problems = await asyncio.gather(*(_captioned(clip, describer) for clip in window))
        written += problems.count("")
        without.update(problem for problem in problems if problem)
        done += len(window)
        progress("clips captioned", done, len(clips))
        failed_in_a_row = failed_in_a_row + 1 if set(problems) == {ENDPOINT_FAILED} else 0
        if "budget" in problems or failed_in_a_row == PATIENCE:
            return CaptioningResult(written, dict(without), complete=False)
    return CaptioningResult(written, dict(without), complete=True)


async def _captioned(clip: ClipFile, describer: Describer) -> str:
    """Why there is no caption; empty if there is one."""
    try:
        text, problem = await describer.describe(clip)
    except RequestBudgetError:
        return "budget"
    except EndpointError:
        return ENDPOINT_FAILED
    except MediaError as error:
        return error.reason
    if not problem:
        Storage(clip.path.parent).write_bytes(clip.path.with_suffix(".txt").name, text.encode())
    return problem
