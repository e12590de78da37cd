"""What was seen of the cells: kept line by line, and told as a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.faults.drill import Verdict
from tests.faults.grid import MEANINGS, Fault, Root, Stage, Store


class Kept:
    """The last verdict of each cell, in a file of one line each."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self.verdicts: dict[str, Verdict] = {}
        for line in path.read_text().splitlines() if path.exists() else ():
            fields = json.loads(line)
            verdict = Verdict(**{**fields, "faults": tuple(fields["faults"])})
            self.verdicts[verdict.cell] = verdict

    def keep(self, verdict: Verdict) -> None:
        """Append it."""
        self.verdicts[verdict.cell] = verdict
        with self._path.open("a") as file:
            file.write(json.dumps(verdict.to_json()) + "\n")


def document(seen: Sequence[Verdict], *, measured: str) -> dict[str, Any]:
    """For programs."""
    broken = [verdict.cell for verdict in seen if verdict.faults]
    return {
        "name": "faults",
        "measured": measured,
        "cells": len(seen),
        "whole": len(seen) - len(broken),
        "broken": broken,
        "searches": sum(verdict.searches for verdict in seen),
        "seconds": round(sum(verdict.seconds for verdict in seen), 1),
        "verdicts": [verdict.to_json() for verdict in seen],
    }


def markdown(seen: Sequence[Verdict]) -> str:
    """Rows are stage and place, columns the faults; below it what broke."""
    by_cell = {tuple(verdict.cell.split("/")): verdict for verdict in seen}
    faults = [fault for fault in Fault if any(cell[1] == fault for cell in by_cell)]
    lines = [
        "| stage | root | vectors | " + " | ".join(faults) + " |",
        "|---|---|---|" + "---|" * len(faults),
    ]
    for stage in Stage:
        for root in Root:
            for store in Store:
                row = [by_cell.get((stage, fault, root, store)) for fault in faults]
                if any(row):
                    marks = [_mark(verdict) for verdict in row]
                    lines.append(f"| {stage} | {root} | {store} | " + " | ".join(marks) + " |")
    broken = [verdict for verdict in seen if verdict.faults]
    whole = len(seen) - len(broken)
    lines += [
        "",
        f"{whole} of {len(seen)} cells whole, {sum(v.searches for v in seen):,} searches beside them.",
    ]
    lines += [f"* {verdict.cell}: {'; '.join(verdict.faults)}" for verdict in broken]
    lines += ["", *(f"* **{fault}**: {MEANINGS[fault]}" for fault in faults)]
    return "\n".join(lines) + "\n"


def _mark(verdict: Verdict | None) -> str:
    if verdict is None:
        return ""
    return "**broken**" if verdict.faults else "whole"
