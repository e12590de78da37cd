"""``vimrag plan`` says what a recipe needs, and refuses what it cannot plan."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.cli import main
from model.training.calibration import Calibration, Figure, Quantity, write_calibration

PAGE = Path(__file__).resolve().parents[2] / "docs" / "hardware.md"
BEGIN, END = "<!-- vimrag plan --table: begin -->\n", "<!-- vimrag plan --table: end -->"


def test_every_recipe_for_devices_is_planned_and_fits(capsys: pytest.CaptureFixture[str]):
    assert main(["plan", "--json"]) == 0
    plans = json.loads(capsys.readouterr().out)["plans"]
    assert [each["recipe"] for each in plans] == [
        "qwen3_vl_2b_24gb",
        "qwen3_vl_4b_24gb",
        "qwen3_vl_8b_80gb",
        "qwen3_vl_8b_8x80gb",
        "qwen3_vl_8b_16x80gb",
    ]
    for each in plans:
        assert each["fits"]
        assert each["peak_bytes"] == max(phase["bytes"] for phase in each["phases"])
        assert each["peak_bytes"] < each["memory_gib"] * 2**30


def test_the_table_names_phases_and_what_fills_them(capsys: pytest.CaptureFixture[str]):
    assert main(["plan", "qwen3_vl_4b_24gb"]) == 0
    said = capsys.readouterr()
    assert "rollouts" in said.out and "training" in said.out and "LoRA 32" in said.out
    assert "none of these recipes was run here" in said.err


def test_what_does_not_fit_is_said_with_what_it_needs(capsys: pytest.CaptureFixture[str]):
    assert main(["plan", "qwen3_vl_4b_24gb", "--longest", "200000"]) == 1
    assert "qwen3_vl_4b_24gb does not fit: it needs" in capsys.readouterr().err


def test_an_unknown_recipe_names_the_nearest(capsys: pytest.CaptureFixture[str]):
    assert main(["plan", "qwen3_vl_8b_80g"]) == 2
    assert "did you mean 'qwen3_vl_8b_80gb'?" in capsys.readouterr().err


def test_a_recipe_for_cpus_has_no_plan(capsys: pytest.CaptureFixture[str]):
    assert main(["plan", "quickstart"]) == 2
    assert "any two CPU cores" in capsys.readouterr().err


def test_the_page_about_hardware_holds_what_the_command_prints(capsys: pytest.CaptureFixture[str]):
    assert main(["plan", "--table"]) == 0
    printed = capsys.readouterr().out
    written = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    assert written == printed, "put the output of `vimrag plan --table` between the marks of docs/hardware.md"


def test_the_fewest_devices_are_a_count_that_fits_where_half_as_many_do_not(
    capsys: pytest.CaptureFixture[str],
):
    assert main(["plan", "--table"]) == 0
    rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()]
    fewest = {(row[0], row[1]): row[-1] for row in rows if row[0].startswith("qwen3-vl")}
    # 8.2 billion parameters: 2 + 2 bytes each whole on a device, and 12 shared: 4 devices of 80 GB, not 2
    assert fewest["qwen3-vl-8b", "all weights, ZeRO-1"] == "4"
    assert fewest["qwen3-vl-4b", "LoRA 32, ZeRO-1"] == "1"
    on_24 = {(row[0], row[1]): row[-2] for row in rows if row[0].startswith("qwen3-vl")}
    assert on_24["qwen3-vl-8b", "LoRA 32, ZeRO-1"] == "none up to 64"  # 16.3 GiB of weights and 9.7 of cache


def test_two_ways_to_print_are_refused(capsys: pytest.CaptureFixture[str]):
    assert main(["plan", "--table", "--json"]) == 2
    assert "choose one" in capsys.readouterr().err


def calibration(tmp_path: Path, **changed: object) -> str:
    figure = Figure(
        quantity=Quantity.TRAINING, value=0.42, model="qwen3-vl-8b", mode="lora", source="update: base"
    )
    made = Calibration(
        device="NVIDIA H100 80GB HBM3", figures=(figure,), made_from="gpu.jsonl 0123", **changed
    )  # type: ignore[arg-type]
    write_calibration(tmp_path / "calibration.json", made)
    return str(tmp_path / "calibration.json")


def test_measured_figures_replace_guesses_and_every_figure_says_what_it_rests_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["plan", "--json"]) == 0
    guessed = {each["recipe"]: each for each in json.loads(capsys.readouterr().out)["plans"]}
    assert main(["plan", "--json", "--calibration", calibration(tmp_path)]) == 0
    found = {each["recipe"]: each for each in json.loads(capsys.readouterr().out)["plans"]}
    training = found["qwen3_vl_8b_80gb"]["phases"][1]
    assert training["basis"]["seconds"] == "measured" and training["basis"]["weights"] == "planned"
    assert training["seconds"] == pytest.approx(
        guessed["qwen3_vl_8b_80gb"]["phases"][1]["seconds"] * 0.35 / 0.42
    )
    all_weights = found["qwen3_vl_8b_8x80gb"]["phases"][1]
    assert all_weights["basis"]["seconds"] == "planned"  # another mode
    assert all_weights["basis"]["activations of the vision tower"] == "unknown"
    assert main(["plan", "qwen3_vl_8b_80gb", "--calibration", calibration(tmp_path)]) == 0
    said = capsys.readouterr()
    assert "figures measured on NVIDIA H100" in said.err and "*" in said.out


def test_a_dry_runs_calibration_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["plan", "--calibration", calibration(tmp_path, toy=True)]) == 2
    assert "made by a dry run" in capsys.readouterr().err


def test_another_device_is_planned_with_as_many_of_it(capsys: pytest.CaptureFixture[str]):
    assert main(["plan", "qwen3_vl_8b_8x80gb", "--device", "h200", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["plans"]
    assert found["machine"] == "8x H200 141 GB" and found["memory_gib"] == 139
    assert main(["plan", "--device", "h20"]) == 2
    assert "did you mean 'h200'?" in capsys.readouterr().err
