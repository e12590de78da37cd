"""Messages of a launched process are heard whole, however their lines reach the file."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from time import sleep

import dagster as dg
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.dagster_defs.pipes_reader import CompleteLineMessageReader, complete_lines

SPEAKER = """
import json, os, sys, time
from dagster_pipes import PipesDefaultMessageWriter, PipesDefaultContextLoader, PipesEnvVarParamsLoader
path = PipesEnvVarParamsLoader().load_messages_params()[PipesDefaultMessageWriter.FILE_PATH_KEY]
def say(method, **params):
    text = json.dumps({"__dagster_pipes_version": "0.1", "method": method, "params": params}) + "\\n"
    with open(path, "a") as file:
        file.write(text[:33]); file.flush(); time.sleep(0.3)  # a line stands there by half
        file.write(text[33:])
say("opened", extras={})
for number in range(3):
    say("log", message=f"update {number}", level="INFO")
reward = {"raw_value": 0.5, "type": "float"}
say("report_asset_materialization", asset_key="spoken", metadata={"reward": reward}, data_version=None)
say("closed")
"""


def test_a_line_that_is_there_by_half_is_waited_for(tmp_path: Path):
    script = tmp_path / "speaker.py"
    script.write_text(SPEAKER)

    @dg.asset
    def spoken(context: dg.AssetExecutionContext, pipes: dg.PipesSubprocessClient) -> dg.MaterializeResult:
        return pipes.run(context=context, command=[sys.executable, str(script)]).get_materialize_result()

    pipes = dg.PipesSubprocessClient(message_reader=CompleteLineMessageReader())
    with dg.DagsterInstance.ephemeral() as instance:
        done = dg.materialize([spoken], resources={"pipes": pipes}, instance=instance)
        logged = [each.user_message for each in instance.all_logs(done.run_id)]
    (made,) = done.asset_materializations_for_node("spoken")
    assert made.metadata["reward"].value == 0.5
    assert [line for line in logged if line.startswith("update")] == ["update 0", "update 1", "update 2"]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(max_size=20), max_size=6), st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_pieces_of_any_size_come_out_as_the_lines_that_went_in(tmp_path_factory, texts, sizes):
    path, is_over = tmp_path_factory.mktemp("messages") / "messages", Event()
    path.touch()
    said = [json.dumps(text, ensure_ascii=False) for text in texts]
    everything = "".join(f"{line}\n" for line in said).encode()

    def pieces() -> Iterator[bytes]:
        place, turn = 0, 0
        while place < len(everything):
            size = sizes[turn % len(sizes)]
            yield everything[place : place + size]
            place, turn = place + size, turn + 1

    def write() -> None:
        with path.open("ab", buffering=0) as file:
            for piece in pieces():
                file.write(piece)
                sleep(0)
        is_over.set()

    writing = Thread(target=write)
    writing.start()
    heard = list(complete_lines(path, is_over.is_set))
    writing.join()
    assert heard == said


def test_a_half_line_at_the_end_is_left(tmp_path: Path):
    path = tmp_path / "messages"
    path.write_bytes(b'{"a": 1}\n{"b"')
    assert list(complete_lines(path, lambda: True)) == ['{"a": 1}']
