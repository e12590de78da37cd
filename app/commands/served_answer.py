"""A question of the command line answered by the ``vimrag serve`` that runs over the root, with the model that it has."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from app.commands.output import note
from app.errors import UsageError
from infra.errors import EndpointError

if TYPE_CHECKING:
    from app.answers.records import CommandAnswer
    from app.answers.running.client import RunningServer

GRACE_S = 30.0  # beyond the silence that the server itself allows its model


def served_answer(
    server: RunningServer, body: Mapping[str, Any], timeout_s: float, *, quiet: bool
) -> CommandAnswer:
    """The answer; its steps go to standard error unless ``quiet``.

    Raises:
        UsageError: if the server refuses the question, or has no model.
        EndpointError: if the question failed.
    """
    from app.answers.records import CommandAnswer
    from app.answers.running.client import NoServerError

    started: dict[str, Any] = {}
    try:
        for event in server.ask({**body, "timeout_s": timeout_s}, timeout_s + GRACE_S):
            match event["event"]:
                case "started":
                    started = event
                    note(f"asked of {server.url}, model {event['model']}")
                case "finished":
                    told = {name: event[name] for name in CommandAnswer.model_fields if name in event}
                    names = {name: started[name] for name in ("question", "model", "index")}
                    return CommandAnswer.model_validate({**told, **names})
                case "failed":
                    raise EndpointError(f"{event['message']} ({server.url})")
                case _:
                    _tell(event, quiet=quiet)
    except NoServerError as error:
        raise UsageError(f"the server at {server.url} does not answer: {error}") from error
    raise EndpointError(f"the server at {server.url} broke off")


def _tell(event: Mapping[str, Any], *, quiet: bool) -> None:
    if quiet:
        return
    match event["event"]:
        case "observed":
            found = "searched before" if event["repeated"] else f"{len(event['retrieved'])} found"
            line = f"  search {event['node_id']}: {event['query']}  ({found})"
        case "noticed":
            line = f"  note: {event['message']}"
        case "rejected":
            line = f"  not accepted: {event['reason']}"
        case _:
            return
    print("".join(char for char in " ".join(line.split("\n")) if char.isprintable()), file=sys.stderr)
