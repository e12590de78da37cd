"""Endpoints that are rate-limited, die or answer HTML: counted, named, unscored, and asked again by the next run."""

from __future__ import annotations

import json

import pytest

from tests.app.command_line import Vimrag
from tests.app.test_evaluate_command import COLOURS, reply, root
from tests.servers.openai_server import Answer, Fault, Messages, OpenAIServer

__all__ = ["root"]  # a fixture

PAGE = b"<!doctype html><html><body>Bad gateway</body></html>"
FAULTS = {
    "answers HTML": Fault(status=200, headers={"Content-Type": "text/html"}, body=PAGE),
    "answers HTML with an error": Fault(status=403, headers={"Content-Type": "text/html"}, body=PAGE),
    "is rate-limited for ever": Fault(
        status=429, headers={"Retry-After": "0"}, body={"error": {"message": "slow down"}}
    ),
    "dies in the middle": Fault(text="<think>It", then="drop"),
    "has no credit": Fault(status=429, body={"error": {"message": "pay", "code": "insufficient_quota"}}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_an_endpoint_does_is_never_a_wrong_answer(vimrag: Vimrag, root: str, fault: str):
    def answer(messages: Messages) -> Answer:
        text = json.dumps(messages)
        return FAULTS[fault] if any(f"gate {number}?" in text for number in (1, 3, 5)) else reply(messages)

    where = ("evaluate", "--root", root, "--name", "bad", "--json", "--endpoint")
    with OpenAIServer(answer) as server:
        told = vimrag(*where, server.base_url).json["memories"]["vimrag"]
    [score] = told["datasets"]
    assert (score["rollouts"], score["scored"], score["failed"], score["correct"]) == (8, 5, 3, 4)
    assert sum(told["unscored"].values()) == 3 and all(told["unscored"]), told["unscored"]
    with OpenAIServer(reply) as server:  # only what is missing is asked
        again = vimrag(*where, server.base_url).json
    assert again["spent_now"]["rollouts"] == 3
    assert again["memories"]["vimrag"]["datasets"][0]["scored"] == len(COLOURS)


def test_one_that_is_rate_limited_for_a_while_is_waited_for(vimrag: Vimrag, root: str):
    refused: set[str] = set()

    def answer(messages: Messages) -> Answer:
        text = json.dumps(messages)
        if text not in refused:
            refused.add(text)
            return Fault(status=429, headers={"Retry-After": "0"}, body={"error": {"message": "slow down"}})
        return reply(messages)

    with OpenAIServer(answer) as server:
        told = vimrag("evaluate", "--root", root, "--json", "--endpoint", server.base_url).json
    [score] = told["memories"]["vimrag"]["datasets"]
    assert (score["scored"], score["failed"], score["correct"]) == (8, 0, 7)
