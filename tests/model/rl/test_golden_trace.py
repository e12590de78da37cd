"""The trace of the loss is a promise: a change that is not about numbers leaves it as it is."""

from __future__ import annotations

import json

import pytest
import torch

from tests.model.rl.golden_trace import FILE, TRACED, UPDATES, trace

GOLDEN = json.loads(FILE.read_text())


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", TRACED)
def test_the_trace_is_the_stored_one(name: str):
    # other machines round otherwise; five updates carry a difference of 1e-7 no further than this
    found = trace(name)
    assert len(found) == len(GOLDEN[name]) == UPDATES
    for record, stored in zip(found, GOLDEN[name], strict=True):
        assert record == pytest.approx(stored, rel=1e-5, abs=1e-6)


def test_two_runs_in_one_process_are_the_same_to_the_last_bit():
    assert trace("ggpo") == trace("ggpo")


def test_pruning_and_ratio_leave_their_mark():
    # gspo_token has the value and the gradient of gspo; the others differ from the first update on
    first = {name: records[0] for name, records in GOLDEN.items()}
    assert first["gspo_token"]["loss"] == pytest.approx(first["gspo"]["loss"], rel=1e-5)
    assert first["gspo_token"]["gradient_norm"] == pytest.approx(first["gspo"]["gradient_norm"], rel=1e-5)
    assert len({round(first[name]["loss"], 4) for name in ("ggpo", "gspo", "grpo")}) == 3
