"""Where an entry point reports progress and results: Dagster Pipes when Dagster started it, else the console.

Holds the reporting only. Under several ranks just rank 0 reports; the others must not even open the pipe.
"""

import json
import math
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from dagster_pipes import (
    DAGSTER_PIPES_CONTEXT_ENV_VAR,
    DAGSTER_PIPES_MESSAGES_ENV_VAR,
    PipesContext,
    open_dagster_pipes,
)


class Reporter(Protocol):
    """Takes the lines and the result of one run."""

    def log(self, text: str) -> None:
        """One line, or a few, for whoever is watching."""
        ...

    def finish(self, metadata: Mapping[str, Any], *, data_version: str | None = None) -> None:
        """The artifact is there; ``metadata`` are JSON values. Called once."""
        ...


class ConsoleReporter:
    """Lines on standard error; the metadata as one JSON line on standard output."""

    def log(self, text: str) -> None:
        """Print ``text``."""
        sys.stderr.write(f"{text}\n")  # one write, so that runs side by side do not share a line
        sys.stderr.flush()

    def finish(self, metadata: Mapping[str, Any], *, data_version: str | None = None) -> None:
        """Print the metadata."""
        print(json.dumps({**finite(metadata), "data_version": data_version}, ensure_ascii=False), flush=True)


class PipesReporter:
    """Log lines and one materialisation of the asset that Dagster is running."""

    def __init__(self, pipes: PipesContext) -> None:
        self._pipes = pipes

    def log(self, text: str) -> None:
        """Log ``text``."""
        self._pipes.log.info(text)

    def finish(self, metadata: Mapping[str, Any], *, data_version: str | None = None) -> None:
        """Report the materialisation."""
        values = {name: _pipes_value(value) for name, value in finite(metadata).items()}
        self._pipes.report_asset_materialization(metadata=values, data_version=data_version)


class SilentReporter:
    """Reports nothing: what ranks other than 0 get."""

    def log(self, text: str) -> None:
        """Nothing."""

    def finish(self, metadata: Mapping[str, Any], *, data_version: str | None = None) -> None:
        """Nothing."""


@contextmanager
def open_reporter() -> Iterator[Reporter]:
    """The reporter of this process, chosen from its environment."""
    if os.environ.get("RANK", "0") != "0":
        for variable in (DAGSTER_PIPES_CONTEXT_ENV_VAR, DAGSTER_PIPES_MESSAGES_ENV_VAR):
            os.environ.pop(variable, None)
        yield SilentReporter()
    elif DAGSTER_PIPES_CONTEXT_ENV_VAR in os.environ:
        with open_dagster_pipes() as pipes:
            yield PipesReporter(pipes)
    else:
        yield ConsoleReporter()


def finite(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same values with nan and infinity as None, which is what JSON and Dagster can carry."""
    return {name: _finite(value) for name, value in values.items()}


def _pipes_value(value: Any) -> Any:
    """A mapping is JSON to Dagster only if it says so; one that states its type has been said."""
    stated = isinstance(value, Mapping) and set(value) == {"raw_value", "type"}
    return {"raw_value": value, "type": "json"} if isinstance(value, Mapping) and not stated else value


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return finite(value)
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value
