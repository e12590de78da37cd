"""Memory of ``vimrag serve`` over many questions: a real process, a scripted model on loopback, questions one after the other.

    python benchmarks/serve_memory.py [--questions 1000]

The model searches, keeps the best page and answers, so each question opens pictures, a graph and a stream; each is a new
text. Every tenth is a follow-up over the chat endpoint. Resident memory (MB) is read from ``/proc`` after every tenth of the
questions; ``growth_mb`` is what the second half added (by a straight line through its readings). One JSON line.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from first_search import _environment  # noqa: E402

from tests.app.server.reader_model import reply  # noqa: E402
from tests.app.server.small_root import build  # noqa: E402
from tests.servers.openai_server import OpenAIServer  # noqa: E402

READINGS = 20


def resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1000


def ask(http: httpx.Client, number: int) -> None:
    question = f"When did crane number {number} open?"
    if number % 10 == 0:
        said = [{"role": "user", "content": "Which?"}, {"role": "assistant", "content": "That one."}]
        body = {"model": "vimrag", "messages": [*said, {"role": "user", "content": question}]}
        assert http.post("/v1/chat/completions", json=body).json()["choices"]
        return
    answer = http.post("/v1/ask", json={"question": question})
    assert answer.status_code == 200 and "event: finished" in answer.text


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--questions", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, OpenAIServer(reply) as model:
        root = build(Path(folder))
        command = [sys.executable, "-m", "app.cli", "serve", "--root", str(root), "--port", "0"]
        command += ["--endpoint", model.base_url]
        log = Path(folder) / "serve.log"  # no pipe: nobody would empty it
        with log.open("w") as out, subprocess.Popen(command, env=_environment(), stderr=out) as server:
            while not (found := re.search(r"http://[^/ ]+", log.read_text())):
                time.sleep(0.2)
            began_s, readings = time.monotonic(), []
            with httpx.Client(base_url=found[0], timeout=300, trust_env=False) as http:
                for number in range(1, options.questions + 1):
                    ask(http, number)
                    model.requests.clear()
                    if number % max(1, options.questions // READINGS) == 0:
                        readings.append((number, round(resident_mb(server.pid), 1)))
            server.terminate()
            server.wait(timeout=60)
    asked, memory = np.array(readings).T
    half = len(asked) // 2
    slope = np.polyfit(asked[half:], memory[half:], 1)[0] if len(asked) - half > 1 else 0.0
    print(
        json.dumps(
            {
                "questions": options.questions,
                "seconds": round(time.monotonic() - began_s, 1),
                "resident_mb": readings,
                "growth_mb": round(float(slope * (asked[-1] - asked[half])), 2),
            }
        )
    )


if __name__ == "__main__":
    main()
