"""``make faults``: every cell of the grid, or those of ``--only``, one line each; table and JSON at the end.

What was seen is kept after each cell, so that an interrupted run goes on; ``--again`` forgets it.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.faults import table
from tests.faults.drill import Drill, Verdict
from tests.faults.grid import cells
from tests.faults.places import Places


def main() -> int:
    """The exit code: 1 if any cell has a fault."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument(
        "--only", action="append", default=[], metavar="STAGE/FAULT/ROOT/STORE", help="any of them *"
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("runs/faults"), help="what was seen, table.md, faults.json"
    )
    parser.add_argument("--again", action="store_true", help="run cells that were seen before, too")
    parser.add_argument("--json", action="store_true", help="print the JSON, not the table")
    parser.add_argument("--list", action="store_true", help="name the cells and run none")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        wanted = cells(given.only)
    except ValueError as error:
        parser.error(str(error))
    if given.list:
        print("\n".join(map(str, wanted)))
        return 0
    kept = table.Kept(given.folder / "seen.jsonl")
    with tempfile.TemporaryDirectory(prefix="faults-") as scratch:
        drill = Drill(Places(Path(scratch)))
        try:
            left = [cell for cell in wanted if given.again or str(cell) not in kept.verdicts]
            for number, cell in enumerate(left, start=1):
                kept.keep(verdict := drill.run(cell))
                _say(verdict, number, len(left))
        finally:
            drill.places.close()
    seen = [kept.verdicts[str(cell)] for cell in wanted]
    document = table.document(seen, measured=time.strftime("%Y-%m-%d"))
    (given.folder / "faults.json").write_text(json.dumps(document, indent=1) + "\n")
    (given.folder / "table.md").write_text(table.markdown(seen))
    print(json.dumps(document) if given.json else table.markdown(seen))
    return 1 if document["broken"] else 0


def _say(verdict: Verdict, number: int, total: int) -> None:
    state = "whole" if not verdict.faults else "BROKEN"
    print(
        f"{number}/{total} {verdict.cell}: {state} in {verdict.seconds:.1f} s; {verdict.seen}",
        file=sys.stderr,
    )
    for fault in verdict.faults:
        print(f"    {fault}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
