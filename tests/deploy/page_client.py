"""Dagster's page as its scripts talk to it: launching, looking and cancelling over GraphQL."""

from __future__ import annotations

import json
import time
import urllib.request
from typing import Any

LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) { __typename
  ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  ... on RunConfigValidationInvalid { errors { message } } ... on InvalidSubsetError { message } } }"""
STATUS = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
EVENTS = """query($id: ID!) { logsForRun(runId: $id, limit: 2000) { ... on EventConnection { events { __typename
  ... on MessageEvent { message level stepKey }
  ... on ExecutionStepFailureEvent { error { message causes { message } } } } } } }"""
ENDED = {"SUCCESS", "FAILURE", "CANCELED"}


def ask(page: str, query: str, **variables: Any) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{page}/graphql",
        json.dumps({"query": query, "variables": variables}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.load(reply)["data"]


def launch(page: str, job: str, config: dict[str, Any], location: str = "orchestration") -> str:
    """The id of the run."""
    selector = {
        "repositoryLocationName": location,
        "repositoryName": "__repository__",
        "jobName": job,
    }
    said = ask(page, LAUNCH, params={"selector": selector, "runConfigData": config})["launchRun"]
    assert said["__typename"] == "LaunchRunSuccess", said
    return said["run"]["runId"]


def events(page: str, run: str) -> list[dict[str, Any]]:
    return ask(page, EVENTS, id=run)["logsForRun"]["events"]


def wait(page: str, run: str, *, patience_s: float) -> str:
    """The status that the run ended with."""
    deadline = time.monotonic() + patience_s
    while (status := ask(page, STATUS, id=run)["runOrError"]["status"]) not in ENDED:
        assert time.monotonic() < deadline, f"run {run} is {status}"
        time.sleep(1)
    return status
