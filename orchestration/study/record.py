"""What one run of a study leaves for its primary endpoint, in a file: a study is made over several sittings and machines.

Holds the record, its file, and what the records of one study say together; nothing is trained here.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import JsonValue, TypeAdapter, ValidationError

from model.evaluation.evaluation import SeedComparison, rates
from model.types import Trajectory
from orchestration.study.endpoint import RatesByUpdate, compare_areas, compare_online
from orchestration.study.options import Study

SCHEMA_VERSION = 1
REFERENCE = "gspo"
COMPARED = (REFERENCE, "ggpo")
"""What every other objective is compared with while it trains."""
CLAIM = "study.json"
"""Below the root: what all its runs share."""
MAY_DIFFER = {"root", "arms", "seeds", "only", "parallel", "samples"}
"""Options that commands may change which go on with one study."""
RUNS = "reports/study-ggpo/runs"
"""Folder of the records, below the root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """Means a rollout of the sampled answers at one update."""

    right: float
    searches: float
    refused: float
    """Replies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One objective with one seed."""

    schema_version: int = SCHEMA_VERSION
    arm: str
    seed: int
    study: Mapping[str, JsonValue]
    """What all runs of a study share: its options, and the hash of the weights it begins with."""
    rates: Mapping[int, Mapping[str, Mapping[str, float]]]
    """Share of right sampled answers by update, dataset and question."""
    spending: Mapping[int, Spending]
    """By update."""
    seconds: float
    """Of training, by the clock: rollouts and updates."""
    online: Mapping[int, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    """Share of right rollouts while it trained, by update, dataset and question; empty in records of before."""

    def to_json(self) -> bytes:
        """The file."""
        return ADAPTER.dump_json(self, indent=1)

    @property
    def by_question(self) -> RatesByUpdate:
        """``rates`` by dataset and question."""
        return _flat(self.rates)

    @property
    def online_by_question(self) -> RatesByUpdate:
        """``online`` by dataset and question."""
        return _flat(self.online)


def _flat(rates: Mapping[int, Mapping[str, Mapping[str, float]]]) -> RatesByUpdate:
    return {
        update: {
            (dataset, question): rate for dataset, each in found.items() for question, rate in each.items()
        }
        for update, found in rates.items()
    }


ADAPTER = TypeAdapter(RunRecord)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The areas of the runs that there are, against the reference's run of the same seed."""

    seeds: Mapping[str, tuple[int, ...]]
    """Seeds of each objective that there are."""
    areas: Mapping[str, SeedComparison]
    """By objective, over the seeds it shares with the reference."""
    online: Mapping[str, Mapping[str, SeedComparison]]
    """By objective and by what it is compared with, while they trained; over the seeds that both have."""
    learning: Mapping[str, Mapping[int, tuple[float, ...]]]
    """Share of right rollouts while they trained, by objective and update, seed after seed."""
    spending: Mapping[str, Mapping[int, tuple[Spending, ...]]]
    """By objective and update, seed after seed."""

    def to_json(self, *, indent: int | None = None) -> bytes:
        """For programs."""
        return ENDPOINT.dump_json(self, indent=indent)


ENDPOINT = TypeAdapter(Endpoint)


def record_of(
    arm: str,
    seed: int,
    study: Mapping[str, JsonValue],
    curve: Iterable[tuple[int, Sequence[Trajectory]]],
    *,
    seconds: float,
    trained_on: Iterable[tuple[int, Sequence[Trajectory]]] = (),
) -> RunRecord:
    """The record of a run from its sampled answers by update, and from the rollouts of each update."""
    answered = dict(curve)
    return RunRecord(
        arm=arm,
        seed=seed,
        study=study,
        rates={update: _nested(trajectories) for update, trajectories in answered.items()},
        spending={update: spending_of(trajectories) for update, trajectories in answered.items()},
        seconds=seconds,
        online={update: _nested(trajectories) for update, trajectories in trained_on},
    )


def _nested(trajectories: Sequence[Trajectory]) -> dict[str, dict[str, float]]:
    nested: dict[str, dict[str, float]] = {}
    for (dataset, question), rate in sorted(rates(trajectories).items()):
        nested.setdefault(dataset, {})[question] = rate
    return nested


def spending_of(trajectories: Sequence[Trajectory]) -> Spending:
    """Means over rollouts; no rollout spends nothing."""
    count = max(1, len(trajectories))
    calls = [call for each in trajectories for segment in each.segments for call in segment.calls]
    return Spending(
        right=sum(each.correct is True for each in trajectories) / count,
        searches=sum(each.counters.searches for each in trajectories) / count,
        refused=sum(call.rejected for call in calls) / count,
    )


def read_records(paths: Iterable[Path]) -> list[RunRecord]:
    """The records of files, and of the ``*.json`` of folders.

    Raises:
        ValueError: if a file is not a record.
    """
    files = [file for path in paths for file in (sorted(path.glob("*.json")) if path.is_dir() else [path])]
    records = []
    for file in files:
        try:
            records.append(ADAPTER.validate_json(file.read_bytes()))
        except ValidationError as error:
            why = error.errors()[0]["msg"]
            raise ValueError(f"{file} is not the record of a run of a study: {why}") from None
    return records


def with_defaults(shared: Mapping[str, Any]) -> dict[str, Any]:
    """What the runs of a study share, as today's options; what was no option then is at its default, at every depth."""
    options = asdict(Study(root=Path()))
    defaults = {name: value for name, value in options.items() if name not in MAY_DIFFER}
    return _completed(shared, json.loads(json.dumps(defaults)))


def _completed(stored: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    known = {
        name: _completed(value, defaults[name])
        if isinstance(value, Mapping) and isinstance(defaults.get(name), Mapping)
        else value
        for name, value in stored.items()
    }
    return {**defaults, **known}


def endpoint(records: Sequence[RunRecord]) -> Endpoint:
    """What the records say together.

    Raises:
        ValueError: if there are none, if they are of different studies, or if a run is there twice.
    """
    if not records:
        raise ValueError("there is no record of a run")
    first = records[0]
    of_first = with_defaults(first.study)
    for other in records:
        of_other = with_defaults(other.study)
        differs = sorted(name for name in {*of_first, *of_other} if of_first.get(name) != of_other.get(name))
        if differs:
            raise ValueError(
                f"{other.arm}-{other.seed} and {first.arm}-{first.seed} are of different studies: "
                f"they differ in {', '.join(differs)}"
            )
    runs = {(record.arm, record.seed): record for record in records}
    if len(runs) < len(records):
        raise ValueError("a run is there twice: give each record once")
    arms = sorted({record.arm for record in records})
    seeds = {arm: tuple(sorted(seed for name, seed in runs if name == arm)) for arm in arms}
    areas = {}
    for arm in arms:
        shared = sorted(set(seeds[arm]) & set(seeds.get(REFERENCE, ())))
        if arm != REFERENCE and shared:
            areas[arm] = compare_areas(
                [runs[REFERENCE, seed].by_question for seed in shared],
                [runs[arm, seed].by_question for seed in shared],
            )
    spending = {
        arm: {
            update: tuple(runs[arm, seed].spending[update] for seed in seeds[arm])
            for update in sorted(runs[arm, seeds[arm][0]].spending)
        }
        for arm in arms
    }
    return Endpoint(
        seeds=seeds,
        areas=areas,
        online=_online(runs, arms),
        learning={arm: _learning([runs[arm, seed] for seed in seeds[arm]]) for arm in arms},
        spending=spending,
    )


def _learning(records: Sequence[RunRecord]) -> dict[int, tuple[float, ...]]:
    """Of the runs of one objective, at the updates that all of them have."""
    by_run = [record.online_by_question for record in records]
    shared = set.intersection(*(set(run) for run in by_run))
    return {
        update: tuple(sum(run[update].values()) / max(1, len(run[update])) for run in by_run)
        for update in sorted(shared)
    }


def _online(
    runs: Mapping[tuple[str, int], RunRecord], arms: Sequence[str]
) -> dict[str, dict[str, SeedComparison]]:
    """Every objective against those of ``COMPARED`` that come before it there; nothing where a record is of before."""
    told: dict[str, dict[str, SeedComparison]] = {}
    for arm in arms:
        for other in COMPARED[: COMPARED.index(arm)] if arm in COMPARED else COMPARED:
            shared = [
                (runs[other, seed], record)
                for (name, seed), record in sorted(runs.items())
                if name == arm and (other, seed) in runs
            ]
            if shared and all(record.online for pair in shared for record in pair):
                told.setdefault(arm, {})[other] = compare_online(
                    [before.online_by_question for before, _ in shared],
                    [after.online_by_question for _, after in shared],
                )
    return told
