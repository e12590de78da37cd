"""Samples as lmms-eval logs them with ``--log_samples``: one JSONL file a task, one line a document.

A task is a benchmark under one memory policy, ``vimrag_<memory>_<dataset>``. Fields: doc_id, doc, target, arguments, resps,
filtered_resps, doc_hash, prompt_hash, target_hash and each metric under its name. What only we know stands in ``doc``.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from app.answers.measuring.records import AnswerRecord


def write_lmms(folder: Path, model: str, records: Sequence[AnswerRecord]) -> list[Path]:
    """One file a task below ``folder``; unscored answers are left out, as lmms-eval has no word for them."""
    del model
    written: list[Path] = []
    for memory, dataset in sorted({(record.memory, record.dataset) for record in records}):
        own = [r for r in records if (r.memory, r.dataset) == (memory, dataset) and r.correct is not None]
        path = folder / f"samples_vimrag_{memory}_{dataset}.jsonl"
        path.write_text("".join(f"{line}\n" for line in _lines(own)), encoding="utf-8")
        written.append(path)
    return written


def _lines(records: Sequence[AnswerRecord]) -> Iterator[str]:
    for place, record in enumerate(records):
        target = list(record.target)
        doc = {
            "id": record.id,
            "question": record.question,
            "answers": target,
            "attempt": record.attempt,
            "cluster": record.cluster,
            "searches": record.searches,
            "tokens": record.tokens,
        }
        sample: dict[str, Any] = {
            "doc_id": place,
            "doc": doc,
            "target": target[0] if target else "",
            "arguments": [[record.question, {}]],
            "resps": [[record.answer]],
            "filtered_resps": [record.answer],
            "doc_hash": _hash(json.dumps(doc, sort_keys=True)),
            "prompt_hash": _hash(record.question),
            "target_hash": _hash("\n".join(target)),
            "acc": float(bool(record.correct)),
            **record.scores,
        }
        yield json.dumps(sample, ensure_ascii=False)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
