"""Ten questions over five real PDFs, asked of a small real model behind a real llama.cpp server: what comes of each.

    python benchmarks/small_model.py --weights FILE.gguf --documents FOLDER [--out FILE.json]

The documents are those of MMLongBench-Doc's samples (research use only, so none travel with this project); seven questions are
that benchmark's own, three ask for one line of the text. Every question goes through ``vimrag ask --json`` in a process of
its own; it counts as lost if it ends with neither an answer nor a reason. Without ``--weights`` the packages of
``tests/servers/llamacpp_server.py`` are looked for. One JSON line at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from tests.servers.llamacpp_server import LlamaCppServer, coder_weights  # noqa: E402

DOCUMENTS = (
    "PH_2016.06.08_Economy-Final.pdf",
    "watch_d.pdf",
    "936c0e2c2e6c8e0c07c51bfaf7fd0a83.pdf",
    "f86d073b0d735ac873a65d906ba82758.pdf",
    "a4f3ced0696009fec3179f493e4f28c4.pdf",
)
NOT_ANSWERABLE = ""
QUESTIONS = (  # question, and what a right answer holds
    ("Who is the Director of Hispanic Research named in the Pew Research Center report?", "Lopez"),
    (
        "From this report, which subgroup among Hispanics has gained most confidence from 2008 to 2015?",
        "some college",
    ),
    ("What will happen when you press and hold the down button of the watch?", "voice assistant"),
    ("How many steps are needed to customize the function of the Down Button?", "2"),
    ("Which agency submitted the Exhibit 300 of the Integrated Personnel Management System?", "State"),
    (
        "What is the unique project identifier of the Integrated Personnel Management System (IPMS)?",
        "014-00-01-02-01-1177-00",
    ),
    (
        "What percentage of the shareholder was held by foreign companies and institutional investors as of March 31, 2007?",
        "44.96",
    ),
    (
        "What percentage of the shareholder was held by foreign companies and institutional investors as of March 31, 2017?",
        NOT_ANSWERABLE,
    ),
    ("What is the USCA case number?", "21-13199"),
    ("What company is a plaintiff?", "Libertarian Party of Georgia"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One question and what came of it."""

    question: str
    answer: str
    reason: str
    right: bool
    verdicts: list[str]
    sources: list[str]
    model_calls: int
    searches: int
    tokens_read: int
    seconds: float

    @property
    def lost(self) -> bool:
        return not self.answer and not self.reason


def ask(root: Path, endpoint: str, question: str, expected: str, options: argparse.Namespace) -> Run:
    began_s = time.monotonic()
    limits = ["--calls", str(options.calls), "--max-tokens", "400", "--timeout", str(options.timeout)]
    command = [*_vimrag("ask"), question, "--root", str(root), "--endpoint", endpoint, *limits, "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, env=_environment(), check=False)
    said: dict[str, Any] = json.loads(ended.stdout) if ended.stdout.strip() else {}
    counters = said.get("counters", {})
    answer = said.get("answer", "").strip()
    notes = [line for line in ended.stderr.splitlines() if line.startswith(("no answer", "error"))]
    has_right = expected.lower() in answer.lower() if expected else "no" in answer.lower().split()[:3]
    return Run(
        question=question,
        answer=answer,
        reason="" if answer else "; ".join(notes or said.get("notices", [])),
        right=bool(answer) and has_right,
        verdicts=[claim["verdict"] for claim in said.get("claims", [])],
        sources=[f"{each['title']} p{each['page']}" for each in said.get("citations", [])],
        model_calls=counters.get("model_calls", 0),
        searches=counters.get("searches", 0),
        tokens_read=counters.get("prompt_tokens", 0),
        seconds=round(time.monotonic() - began_s, 1),
    )


def table(runs: list[Run]) -> str:
    lines = [
        "| question | answer or reason | right | sentences | sources | calls | s |",
        "|---|---|---|---|---|---|---|",
    ]
    for run in runs:
        said = " ".join((run.answer or f"({run.reason})").split())[:160].replace("|", "/")
        cells = (run.question, said, "yes" if run.right else "no", ", ".join(run.verdicts) or "none")
        more = ("; ".join(run.sources) or "none", str(run.model_calls), f"{run.seconds:.0f}")
        lines.append("| " + " | ".join((*cells, *more)) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--documents", type=Path, required=True)
    parser.add_argument("--questions", type=int, default=len(QUESTIONS))
    parser.add_argument("--calls", type=int, default=8)
    parser.add_argument("--context", type=int, default=8192)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--timeout", type=float, default=600, help="longest silence of the model, in seconds")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        weights = options.weights or coder_weights(Path(folder))
        if weights is None:
            sys.exit("no --weights, and the packages that hold a model are not installed")
        root = Path(folder) / "root"
        paths = [str(options.documents / name) for name in DOCUMENTS]
        subprocess.run(
            [*_vimrag("ingest"), *paths, "--root", str(root)],
            env=_environment(),
            check=True,
            stdout=sys.stderr,
        )
        runs: list[Run] = []
        log = options.out.with_suffix(".llama.log") if options.out else None
        with LlamaCppServer(weights, context=options.context, threads=options.threads, log=log) as server:
            for question, expected in QUESTIONS[: options.questions]:
                runs.append(ask(root, server.base_url, question, expected, options))
                print(json.dumps(asdict(runs[-1]), ensure_ascii=False), file=sys.stderr, flush=True)
                if options.out:
                    options.out.write_text(
                        json.dumps([asdict(run) for run in runs], ensure_ascii=False, indent=1)
                    )
    print(table(runs), file=sys.stderr)
    print(
        json.dumps(
            {
                "weights": weights.name,
                "asked": len(runs),
                "answered": sum(bool(run.answer) for run in runs),
                "with_a_reason": sum(not run.answer and bool(run.reason) for run in runs),
                "lost": sum(run.lost for run in runs),
                "right": sum(run.right for run in runs),
                "seconds": round(sum(run.seconds for run in runs), 1),
            }
        )
    )


def _vimrag(command: str) -> list[str]:
    return [sys.executable, "-m", "app.cli", command]


def _environment() -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("VIMRAG", "OPENAI"))}
    return {**clean, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}


if __name__ == "__main__":
    main()
