"""Media that did not come, each with its reason: ``raw/<dataset>.quarantine.jsonl``, one line a file.

Link rot is a fact about a dataset, not a failure of a run. Which reasons last, and so are tried again only when
told to, is said in ``infra/downloads/ytdlp_failures.py``.
"""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from assets.acquisition.lock_file import write_whole
from infra.downloads.ytdlp_failures import LASTING


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedFile:
    """One file that is not there."""

    name: str
    """Its place below the raw folder, a video without its extension."""
    reason: str
    detail: str
    attempts: int
    """Runs that tried."""


@dataclass(slots=True)
class Quarantine:
    """The table, by name."""

    path: Path
    rows: dict[str, QuarantinedFile] = field(default_factory=dict)

    def put(self, name: str, reason: str, detail: str) -> None:
        """Add or renew a row, and save."""
        attempts = self.rows[name].attempts + 1 if name in self.rows else 1
        self.rows[name] = QuarantinedFile(name=name, reason=reason, detail=detail, attempts=attempts)
        self._save()

    def release(self, name: str) -> None:
        """The file has come."""
        if self.rows.pop(name, None):
            self._save()

    def holds(self, name: str, *, retry_all: bool) -> bool:
        """Whether the file is not to be tried in this run."""
        row = self.rows.get(name)
        return row is not None and row.reason in LASTING and not retry_all

    def reasons(self) -> dict[str, int]:
        """How many of each reason, most first."""
        return dict(Counter(row.reason for row in self.rows.values()).most_common())

    def _save(self) -> None:
        lines = [json.dumps(asdict(row), ensure_ascii=False) + "\n" for _, row in sorted(self.rows.items())]
        write_whole(self.path, "".join(lines))


def read_quarantine(path: Path) -> Quarantine:
    """The table at ``path``; an empty one if there is none.

    Raises:
        ValueError: if it is damaged.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        rows = [QuarantinedFile(**json.loads(line)) for line in lines if line.strip()]
    except FileNotFoundError:
        return Quarantine(path)
    except (TypeError, ValueError) as error:
        raise ValueError(f"damaged table {path}: {error}; remove it to try everything again") from error
    return Quarantine(path, {row.name: row for row in rows})
