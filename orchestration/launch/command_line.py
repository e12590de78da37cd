"""A command of `vimrag` as a process of its own: the one way in for work whose function lives with the command line.

The layers below never import it; they start it, as they start the entry points of ``orchestration.runs``. What it says comes line
by line, what it made as one JSON object.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from orchestration.launch.commands import supervised


class CommandFailedError(ValueError):
    """The command ended with another code than 0; the text is its own last line."""


def options_of(values: Mapping[str, Any]) -> list[str]:
    """Options as a command line has them: what is None or False is left out, a list is one option with commas."""
    line: list[str] = []
    for name, value in values.items():
        option = f"--{name.replace('_', '-')}"
        if value is None or value is False or value == []:
            continue
        if value is True:
            line.append(option)
        else:
            line += [option, ",".join(map(str, value)) if isinstance(value, list) else str(value)]
    return line


def run_command(
    words: Sequence[str], *, environment: Mapping[str, str], on_line: Callable[[str], object]
) -> dict[str, Any]:
    """Run ``vimrag WORDS --json``; what it says on standard error goes to ``on_line``.

    Raises:
        CommandFailedError: with the last line that it said.
    """
    line = supervised([sys.executable, "-m", "app.cli", *words, "--json"])
    with subprocess.Popen(
        line, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        said: list[str] = []

        def listen() -> None:
            assert process.stderr is not None
            for raw in process.stderr:
                if text := raw.strip():
                    said.append(text)
                    on_line(text)

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        try:
            assert process.stdout is not None
            written = process.stdout.read()
            code = process.wait()
        except BaseException:
            process.terminate()  # the supervisor ends what it started
            raise
        listener.join(timeout=10)
    if code:
        cause = said[-1].removeprefix("error: ") if said else f"it ended with code {code} and said nothing"
        raise CommandFailedError(f"vimrag {' '.join(words[:2])}: {cause}")
    return json.loads(written.splitlines()[-1]) if written.strip() else {}
