"""``vimrag plan`` says what a recipe needs, and refuses what it cannot plan."""

from __future__ import annotations

import json

import pytest

from app.cli import main


def test_every_recipe_for_devices_is_planned_and_fits(capsys: pytest.CaptureFixture[str]):
    assert main(["plan", "--json"]) == 0
    plans = json.loads(capsys.readouterr().out)["plans"]
    assert [each["recipe"] for each in plans] == [
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
