"""Logs that ``inspect view`` opens: the JSON form of Inspect's EvalLog, version 2, one file a memory policy.

A sample is a question, an epoch an attempt; the verdict is scored C or I, an unscored answer carries its error and no score.
https://inspect.aisi.org.uk/eval-logs.html
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.answers.measuring.records import AnswerRecord

VERSION = 2
SCORER = "verdict"


def write_inspect(
    folder: Path, model: str, judge: str, records: Sequence[AnswerRecord], *, ended_s: float
) -> list[Path]:
    """One log a memory policy below ``folder``; ``ended_s``: when the evaluation ended, in seconds since 1970."""
    written = []
    for memory in dict.fromkeys(record.memory for record in records):
        own = [record for record in records if record.memory == memory]
        path = folder / f"{memory}.json"
        log = log_of(memory, model, judge, own, ended_s=ended_s)
        path.write_text(json.dumps(log, indent=2, ensure_ascii=False), encoding="utf-8")
        written.append(path)
    return written


def log_of(
    memory: str, model: str, judge: str, records: Sequence[AnswerRecord], *, ended_s: float
) -> dict[str, Any]:
    """The EvalLog of one memory policy."""
    when = datetime.fromtimestamp(ended_s, UTC).isoformat(timespec="seconds")
    scored = [record for record in records if record.correct is not None]
    ids = list(dict.fromkeys(record.id for record in records))
    name = f"vimrag/{model}" if "/" not in model else model
    accuracy = sum(bool(record.correct) for record in scored) / len(scored) if scored else 0.0
    task = hashlib.sha256(f"{memory}\n{model}".encode()).hexdigest()[:22]
    return {
        "version": VERSION,
        "status": "success",
        "eval": {
            "run_id": task,
            "created": when,
            "task": f"vimrag_{memory}",
            "task_id": task,
            "task_version": 0,
            "dataset": {"name": "questions", "samples": len(ids), "sample_ids": ids, "shuffled": False},
            "model": name,
            "model_args": {},
            "config": {"epochs": max((record.attempt for record in records), default=0) + 1},
            "packages": {},
            "metadata": {"memory": memory, "judge": judge, "program": "vimrag"},
        },
        "plan": {"name": "plan", "steps": [{"solver": f"memory_{memory}", "params": {}}], "config": {}},
        "results": {
            "total_samples": len(records),
            "completed_samples": len(scored),
            "scores": [
                {
                    "name": SCORER,
                    "scorer": SCORER,
                    "params": {"judge": judge},
                    "metrics": {"accuracy": {"name": "accuracy", "value": accuracy, "params": {}}},
                }
            ],
        },
        "stats": {"started_at": when, "completed_at": when, "model_usage": {name: _usage(records)}},
        "samples": [_sample(record, name) for record in records],
    }


def _sample(record: AnswerRecord, model: str) -> dict[str, Any]:
    usage = _usage([record])
    choice = {
        "message": {"role": "assistant", "content": record.answer, "source": "generate"},
        "stop_reason": "stop",
    }
    sample: dict[str, Any] = {
        "id": record.id,
        "epoch": record.attempt + 1,
        "input": record.question,
        "target": list(record.target),
        "messages": [{"role": "user", "content": record.question, "source": "input"}, choice["message"]],
        "output": {"model": model, "choices": [choice], "usage": usage},
        "scores": {},
        "metadata": {
            "dataset": record.dataset,
            "cluster": record.cluster,
            "outcome": record.outcome,
            "searches": record.searches,
            "own_scores": dict(record.scores),
        },
        "store": {},
        "events": [],
        "model_usage": {model: usage},
        "attachments": {},
    }
    if record.correct is not None:
        value = "C" if record.correct else "I"
        sample["scores"] = {
            SCORER: {"value": value, "answer": record.answer, "metadata": dict(record.scores)}
        }
    elif record.error:
        sample["error"] = {"message": record.error, "traceback": "", "traceback_ansi": ""}
    return sample


def _usage(records: Sequence[AnswerRecord]) -> dict[str, int]:
    read, written = (
        sum(each.prompt_tokens for each in records),
        sum(each.completion_tokens for each in records),
    )
    return {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}
