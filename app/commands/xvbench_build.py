"""The builder of XVBench joined with a served model: what ``vimrag xvbench build`` runs.

Holds the joining only. Stages: ``assets.xvbench_builder``; grades: ``model.evaluation.judge``; every reply goes through
one file of paid replies.
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from assets.xvbench_builder import prompts
from assets.xvbench_builder.build import BuildResult, BuildTarget, StopReason, build, caption_clips
from assets.xvbench_builder.evaluation import evaluate_candidate
from assets.xvbench_builder.model import BuilderModel
from assets.xvbench_builder.publishing import BuildReport, OutFolder, RunCosts, TotalCosts
from assets.xvbench_builder.records import Candidate, CandidateOutcome, ClipFile
from assets.xvbench_builder.sampling import INTERVAL, draw_candidates, sample_clips
from assets.xvbench_builder.videos import cut_videos, find_videos
from infra.llm.cached_client import CachedChatClient
from infra.llm.client import ChatClient, probed
from infra.llm.image_parts import ClipSampling
from infra.llm.types import ChatSettings
from infra.progress import ProgressListener
from infra.storage.key_value import KeyValueFile
from infra.storage.lock import only_writer
from model.evaluation.judge import JudgeGrader, JudgeSettings
from model.types import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """What is to be built."""

    videos: Path
    out: OutFolder
    target: BuildTarget
    tries: int = 4
    """Candidates for each question, at most."""
    seed: int = 0
    interval: int = INTERVAL
    """Clips from one that is sampled to the next, at most."""
    clip_sampling: ClipSampling = field(default_factory=ClipSampling)
    captions: bool = False
    """Whether every clip gets its caption as a text beside it."""


class JudgeAdapter:
    """``Grader`` by the judge of evaluations."""

    def __init__(self, judge: JudgeGrader) -> None:
        self._judge = judge

    async def grade(self, question: str, reference: str, answer: str) -> bool | None:
        """See ``Grader``."""
        task = Task(id=question[:60], dataset="xvbench", question=question, answers=(reference,))
        return await self._judge.grade(task, answer)


async def build_xvbench(
    request: BuildRequest, settings: ChatSettings, progress: ProgressListener
) -> BuildReport:
    """Build, or go on building; the report is ``report.json`` too.

    Raises:
        ValueError: if the videos give too few clips, or another process builds there.
        EndpointError: if the endpoint is down, or does not say which model to ask.
    """
    listing = find_videos(request.videos, leave_out=request.out.path)
    settings = await probed(settings)  # a server that is down is noticed before videos are cut
    with only_writer(request.out.storage, request.out.questions.parent.name):
        request.out.replies.parent.mkdir(parents=True, exist_ok=True)
        cut = cut_videos(listing.videos, request.out.clips, progress)
        pool = sample_clips(cut.clips, seed=request.seed, interval=request.interval)
        client, replies = ChatClient(settings), KeyValueFile(request.out.replies)
        try:
            chat = CachedChatClient(client, replies)
            # without a cache of its own: kept replies count for each candidate alike
            judge = JudgeGrader(chat, model=settings.model, settings=_patient(settings))
            versions = {**prompts.versions(), "judge": judge.fingerprint, "model": settings.model}
            model = BuilderModel(chat, request.clip_sampling)

            def evaluate(candidate: Candidate) -> Awaitable[CandidateOutcome]:
                return evaluate_candidate(candidate, model, JudgeAdapter(judge))

            built = await _build(request, pool, evaluate, versions, progress)
            captions = None
            if request.captions and built.stop in (StopReason.ENOUGH, StopReason.CANDIDATES):
                clips = [clip for of_video in cut.clips.values() for clip in of_video]
                captions = await caption_clips(
                    clips, model, at_once=request.target.at_once, progress=progress
                )
            report = BuildReport(
                questions=len(built.kept),
                candidates=len(built.outcomes),
                rejected=built.rejected,
                stopped=built.stop,
                last_failure=built.last_failure,
                captions=captions,
                clips=sum(map(len, cut.clips.values())),
                clips_sampled=sum(map(len, pool.values())),
                videos=len(cut.clips),
                skipped=(*listing.skipped, *cut.skipped),
                this_run=_run_costs(client, chat),
                all_runs=_total_costs(chat, settings),
                seed=request.seed,
                interval=request.interval,
                look=request.clip_sampling,
                versions=versions,
                out=str(request.out.path),
            )
        finally:
            replies.close()
            await client.close()
        request.out.write_report(report)
    return report


async def _build(
    request: BuildRequest,
    pool: dict[str, tuple[ClipFile, ...]],
    evaluate: Callable[[Candidate], Awaitable[CandidateOutcome]],
    versions: dict[str, str],
    progress: ProgressListener,
) -> BuildResult:
    limit = request.target.questions * request.tries
    candidates = list(draw_candidates(pool, seed=request.seed, limit=limit))

    def on_outcomes(outcomes: list[CandidateOutcome]) -> None:
        request.out.write(outcomes, versions)
        kept = sum(not outcome.reason for outcome in outcomes)
        progress("candidates evaluated", len(outcomes), len(candidates))
        progress("questions kept", kept, request.target.questions)

    return await build(candidates, evaluate, request.target, on_outcomes)


def _patient(settings: ChatSettings) -> JudgeSettings:
    """The client ends a call by itself; a judge that is late is a failure of the endpoint, not a missing grade."""
    return JudgeSettings(timeout_s=3 * settings.total_timeout_s)


def _run_costs(client: ChatClient, chat: CachedChatClient) -> RunCosts:
    spent = client.ledger.snapshot()
    return RunCosts(
        requests=spent.requests,
        retries=spent.retries,
        failures=spent.failures,
        prompt_tokens=spent.prompt_tokens,
        completion_tokens=spent.completion_tokens,
        cost=spent.cost,
        found=chat.found,
    )


def _total_costs(chat: CachedChatClient, settings: ChatSettings) -> TotalCosts:
    total, prices = chat.total(), settings.prices
    cost = None if prices is None else prices.cost(total.prompt_tokens, total.completion_tokens)
    return TotalCosts(**asdict(total), cost=cost)
