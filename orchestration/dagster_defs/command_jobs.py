"""What the command line does to models and figures, as jobs with the same options: measuring, comparing, exporting, building.

Each is one op that starts the command (``launch/command_line.py``) at the root of the run. A test holds every field to an
option of its command; keys of endpoints stay in the environment (VIMRAG_API_KEY).
"""

import os
from collections.abc import Sequence
from typing import ClassVar

import dagster as dg
from pydantic import Field

from infra.storage.root import Storage
from orchestration.dagster_defs.causes import cause_first
from orchestration.dagster_defs.partitions import DATA_OWNERS, RESEARCH_OWNERS
from orchestration.launch.command_line import options_of, run_command


class CommandConfig(dg.Config):
    """Options of one command.

    ``named`` are those that it takes without a dash, in their order; ``repeated`` those that are given once a value.
    """

    command: ClassVar[tuple[str, ...]]
    named: ClassVar[tuple[str, ...]] = ()
    repeated: ClassVar[tuple[str, ...]] = ()

    def words(self) -> list[str]:
        """What follows ``vimrag``."""
        values = self.model_dump()
        places: list[str] = []
        for name in self.repeated:
            places += [word for value in values.pop(name) for word in options_of({name: value})]
        for name in self.named:
            value = values.pop(name)
            places += value if isinstance(value, list) else [str(value)]
        return [*self.command, *options_of(values), *places]


class EvaluateConfig(CommandConfig):
    """Any model, served or a checkpoint folder, measured on the questions of the root; resumable to the rollout."""

    command: ClassVar[tuple[str, ...]] = ("evaluate",)
    model: str | None = Field(None, description="Checkpoint folder, or the name of a model at the endpoint.")
    endpoint: str | None = Field(None, description="OpenAI-compatible address, usually ending in /v1.")
    memory: list[str] = Field(
        ["vimrag"], description="Memory policies; the first is compared with the others."
    )
    datasets: list[str] = Field([], description="Some of the datasets; by default all.")
    questions: int | None = Field(None, description="Of each dataset, at most, drawn by the seed.")
    attempts: int = Field(1, description="Rollouts of each question.")
    question_set: str = Field("default", description="Which set measures.")
    concurrency: int = Field(8, description="Rollouts at once.")
    timeout: float = Field(900.0, description="Seconds of one rollout.")
    seed: int = Field(0, description="Of the questions drawn and of the replies.")
    max_tokens: int | None = Field(None, description="Longest reply of the model.")
    temperature: float | None = Field(None, description="0 always draws the likeliest token.")
    prices: list[float] = Field([], description="What a million tokens cost, read and written.")
    token_cap: int | None = Field(None, description="Begin no rollout beyond so many tokens.")
    max_cost: float | None = Field(None, description="Begin no rollout beyond this cost; needs prices.")
    fail_below: float | None = Field(
        None, description="The run fails if the first policy is below, per cent."
    )
    profile: str | None = Field(None, description="Prompts and limits of a served model: full or compact.")
    name: str | None = Field(None, description="Of this evaluation, below ROOT/evaluations.")


class CompareConfig(CommandConfig):
    """Two evaluations, compared by documents."""

    command: ClassVar[tuple[str, ...]] = ("compare",)
    named: ClassVar[tuple[str, ...]] = ("first", "second")
    first: str = Field(description="Name of an evaluation below ROOT/evaluations, or its folder.")
    second: str = Field(description="The one that is compared with it.")
    memory: list[str] = Field([], description="Some of the memory policies; by default all.")
    by_dataset: bool = Field(False, description="Each benchmark by itself, too.")
    fail_below: float | None = Field(None, description="The run fails if a difference is below, points.")
    certain: bool = Field(False, description="It fails only if the whole interval is below.")


class ExportConfig(CommandConfig):
    """An evaluation in the forms of other programs."""

    command: ClassVar[tuple[str, ...]] = ("export",)
    named: ClassVar[tuple[str, ...]] = ("evaluation",)
    evaluation: str = Field(description="Its name below ROOT/evaluations, or its folder.")
    to: str = Field(description="Folder for the files.")
    formats: list[str] = Field(
        ["lmms", "inspect", "csv", "html", "markdown"],
        description="Some of lmms, inspect, csv, html, markdown.",
    )


class XvbenchConfig(CommandConfig):
    """A benchmark like XVBench from a folder of videos, captions included; goes on where it was."""

    command: ClassVar[tuple[str, ...]] = ("xvbench", "build")
    named: ClassVar[tuple[str, ...]] = ("videos",)
    videos: str = Field(description="Folder of videos.")
    out: str = Field(description="Where the benchmark goes: an empty folder, or one of an earlier build.")
    endpoint: str | None = Field(None, description="OpenAI-compatible address, usually ending in /v1.")
    model: str | None = Field(None, description="Name of a model at the endpoint that sees images.")
    questions: int = Field(20, description="Questions to build.")
    tries: int = Field(4, description="Candidates for each question, at most.")
    seed: int = Field(0, description="Other clips and groups for another number.")
    interval: int = Field(4, description="Minutes from one clip taken to the next, at most; 1 takes all.")
    frames: int = Field(8, description="Images shown of a clip.")
    side: int = Field(448, description="Their longest side in pixels.")
    captions: bool = Field(
        False, description="Put a caption beside every clip, so that text search finds it."
    )
    concurrency: int = Field(4, description="Candidates at once.")
    max_requests: int | None = Field(None, description="Requests of this run, retries included.")
    prices: list[float] = Field([], description="What a million tokens cost, read and written.")


class StudyConfig(CommandConfig):
    """GGPO, GSPO, a random mask and GRPO from one cold start with equal rollouts, compared on unseen worlds."""

    command: ClassVar[tuple[str, ...]] = ("study", "ggpo")
    repeated: ClassVar[tuple[str, ...]] = ("only",)
    seeds: int = Field(5, description="Runs of each objective.")
    updates: int = Field(12, description="Policy updates of a run.")
    questions: int = Field(24, description="Questions of an update.")
    group_size: int = Field(8, description="Rollouts of one question in training.")
    mini_batches: int = Field(1, description="Optimiser steps of one update.")
    learning_rate: float = Field(3e-4, description="At its highest; it falls to zero over a run.")
    temperature: float = Field(1.0, description="Of rollouts in training and of sampled answers.")
    parallel: int = Field(2, description="Runs trained side by side.")
    samples: int = Field(4, description="Sampled answers to each unseen question beside the greedy one.")
    checkpoint: str = Field("miniature", description="The cold start: a folder below checkpoints/.")
    preregistered: bool = Field(
        False, description="The study that was written down before its first run; nothing else counts then."
    )
    onset: bool = Field(False, description="The one after it; nothing else counts then.")
    confirmation: bool = Field(False, description="The one after that; nothing else counts then.")
    chains: bool = Field(False, description="That on longer questions; nothing else counts then.")
    only: list[str] = Field([], description="Runs to make this time, as gspo-0; by default all.")


class StudyPaperConfig(CommandConfig):
    """Experiments of the paper: the arms of each answer the same questions, and a page with its figure is drawn."""

    command: ClassVar[tuple[str, ...]] = ("study", "paper")
    named: ClassVar[tuple[str, ...]] = ("experiments",)
    experiments: list[str] = Field(["all"], description="Their names; `all` is every one.")
    endpoint: str | None = Field(None, description="OpenAI-compatible address, usually ending in /v1.")
    model: str | None = Field(None, description="Checkpoint folder, or a name at the endpoint.")
    questions: int | None = Field(None, description="Of each dataset, at most, drawn by the seed.")
    datasets: list[str] = Field([], description="Some of the datasets; by default all.")
    attempts: int = Field(1, description="Rollouts of each question.")
    temperature: float = Field(0.0, description="0 always draws the likeliest token.")
    concurrency: int = Field(32, description="Rollouts at once.")
    worlds: int = Field(8, description="Unseen worlds, where the root is a new one.")
    seed: int = Field(0, description="Of the questions drawn and of the replies.")
    profile: str | None = Field(None, description="Prompts and limits of a served model: full or compact.")


class StudyCreditConfig(CommandConfig):
    """Credit assignments judged by one set of rollouts, without training: accuracy gained per unit step, against GSPO."""

    command: ClassVar[tuple[str, ...]] = ("study", "credit")
    repeated: ClassVar[tuple[str, ...]] = ("trajectories", "objective", "objective_file")
    checkpoint: str = Field("miniature", description="The policy: a folder below checkpoints/.")
    weights: str | None = Field(None, description="A checkpoint folder of a run, instead of one that ships.")
    trajectories: list[str] = Field(
        [], description="Rollouts of this very policy, files or folders. Then none are made."
    )
    split: str = Field(
        "test", description="Whose questions: val to choose among objectives, test to confirm."
    )
    limits: str | None = Field(None, description="What a rollout may use; by default as in the quickstart.")
    datasets: list[str] = Field([], description="Some of the datasets; by default all.")
    hops: int = Field(2, description="Searches of the longest question in the worlds of a new root.")
    questions: int = Field(32, description="Of each dataset, at most.")
    group_size: int = Field(8, description="Rollouts of one question.")
    folds: int = Field(8, description="Parts that the questions are dealt into.")
    temperature: float = Field(1.0, description="Of the rollouts.")
    objective: list[str] = Field([], description="Objectives by name; by default all that are known.")
    objective_file: list[str] = Field([], description="Python files with a function weights(rollout, group).")
    parameters: str | None = Field(
        None, description="Regular expression: look at weights with such names only."
    )
    seed: int = Field(0, description="Of questions, rollouts and folds.")
    threads: int = Field(2, description="Of torch, over all processes.")
    workers: int = Field(0, description="Processes; 0: one a thread for a small policy, one for any other.")


class IngestConfig(CommandConfig):
    """One's own files: only what changed is read, and what is searched follows."""

    command: ClassVar[tuple[str, ...]] = ("ingest",)
    named: ClassVar[tuple[str, ...]] = ("paths",)
    paths: list[str] = Field(description="Files and folders of the machine that runs this.")
    dpi: int = Field(144, description="Resolution at which PDF pages are rendered.")
    no_ocr: bool = Field(False, description="Do not read text in images and scanned pages: much faster.")
    ocr_model: str | None = Field(
        None, description="PP-OCR recognition model of other scripts, a file or folder."
    )
    no_slides: bool = Field(False, description="Do not draw slides, even where LibreOffice is installed.")
    speech: str | None = Field(
        None,
        description="Folder of a Whisper model for CTranslate2 that hears films and sound files without subtitles.",
    )


class PreflightConfig(CommandConfig):
    """Whether every piece of a recipe's run is there, before any device hour; the run fails with the faults."""

    command: ClassVar[tuple[str, ...]] = ("preflight",)
    named: ClassVar[tuple[str, ...]] = ("recipe",)
    recipe: str = Field("quickstart", description="Name of a recipe.")


def command_job(name: str, config: type[CommandConfig], owners: Sequence[str]) -> dg.JobDefinition:
    """A job of one op that runs the command of ``config``."""

    @dg.op(name=f"{name}_op", description=config.__doc__)
    def run(context: dg.OpExecutionContext, config: config, storage: dg.ResourceParam[Storage]) -> None:
        words = config.words()
        context.log.info(f"vimrag {' '.join(words)}")
        environment = {**os.environ, "VIMRAG_ROOT": storage.root}
        with cause_first():
            made = run_command(words, environment=environment, on_line=context.log.info)
        context.add_output_metadata({"result": dg.MetadataValue.json(made)})

    @dg.job(name=name, description=config.__doc__, owners=owners)
    def one_op() -> None:
        run()

    return one_op


COMMANDS: dict[str, type[CommandConfig]] = {
    "evaluate_model": EvaluateConfig,
    "compare_evaluations": CompareConfig,
    "export_evaluation": ExportConfig,
    "build_xvbench": XvbenchConfig,
    "study_ggpo": StudyConfig,
    "study_paper": StudyPaperConfig,
    "study_credit": StudyCreditConfig,
    "ingest_files": IngestConfig,
    "preflight": PreflightConfig,
}
COMMAND_JOBS = [
    command_job(name, config, DATA_OWNERS if config is IngestConfig else RESEARCH_OWNERS)
    for name, config in COMMANDS.items()
]
