"""Questions of three and four hops, and the decoys beside every fact that they rest on."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from assets.miniature.build import write_miniature
from assets.miniature.plans import NOT_ANSWERABLE, PlannedQuestion
from assets.miniature.questions import questions
from assets.miniature.sentences import hotpotqa_passages, squad_passages
from assets.miniature.world import MiniatureWorld, worlds
from orchestration.dagster_defs.miniature_raw import WORLDS_FILE, ensure_miniature, worlds_of
from orchestration.recipes.options import MiniatureWorlds
from tests.assets.miniature.facts import PerceivedItem
from tests.assets.miniature.fragments import split_fragments
from tests.assets.miniature.solver import solve

WORLDS = list(worlds("train", 12, seed=3, hops=4))


def asked(world: MiniatureWorld) -> tuple[PlannedQuestion, ...]:
    return questions(world, per_dataset=8)["hotpotqa"]


def stated(world: MiniatureWorld) -> dict[str, PerceivedItem]:
    """What the passages of a world say, by dataset and name."""
    return {
        f"{passage.key.dataset}/{passage.key.name}": PerceivedItem(title=passage.title, text=passage.text)
        for passage in (*hotpotqa_passages(world), *squad_passages(world))
    }


def test_passages_ask_for_three_and_four_searches_in_equal_parts():
    lengths = Counter(len(question.hops) for world in WORLDS for question in asked(world))
    assert lengths == {3: 48, 4: 48}
    three = Counter(
        len(question.hops)
        for world in worlds("train", 4, seed=3, hops=3)
        for question in questions(world, per_dataset=4)["hotpotqa"]
    )
    assert three == {3: 16}


def test_every_search_of_a_bridge_rests_on_the_one_before():
    for world in WORLDS:
        for question in asked(world):
            for hop in question.hops:
                for name in re.findall(r"[A-Z][a-z]{5}", hop.queries[0]):
                    found_before = [question.hops[before].summary for before in hop.depends]
                    assert name in question.text or any(name in summary for summary in found_before)


def test_gold_answers_among_all_decoys_and_no_piece_of_it_can_be_missed():
    for world in WORLDS[:4]:
        said = stated(world)
        for question in asked(world):
            gold = [f"{key.dataset}/{key.name}" for key in question.gold]
            assert len(gold) == len(set(gold)) == len(question.hops)
            assert solve(question.text, list(said.values())) == question.answer
            for missing in gold:
                left = [piece for name, piece in said.items() if name != missing]
                assert solve(question.text, left) == NOT_ANSWERABLE


BELIEVED = (
    (r"The first (leader|maker) of", r"The \1 of"),
    (r"The first employer of (\w+) is", r"\1 works at"),
    (r"The first home of (\w+)", r"\1"),
)


def test_whoever_takes_a_decoy_for_the_fact_goes_wrong():
    """Of a comparison the other half is still right, so half of the wrong ways end well."""
    right: Counter[int] = Counter()
    for world in WORLDS:
        said = stated(world)
        for question in asked(world):
            for hop in question.hops:
                name = hop.gold[0].name
                text = said[f"squad/decoy:{name}"].text
                for decoy, fact in BELIEVED:
                    text = re.sub(decoy, fact, text)
                others = [piece for key, piece in said.items() if key != f"hotpotqa/{name}"]
                answer = solve(question.text, [*others, PerceivedItem(title=name, text=text)])
                right[len(question.hops)] += answer == question.answer
    assert right[3] == 0
    assert 0 < right[4] < 0.6 * 4 * 48


def test_the_words_of_decoys_are_known_and_worlds_of_two_hops_have_none():
    for passage in squad_passages(WORLDS[0]):
        split_fragments(f"{passage.title}: {passage.text}")
    [short] = worlds("train", 1, seed=3)
    assert not any("first" in passage.text for passage in squad_passages(short))
    assert len(squad_passages(WORLDS[0])) == len(squad_passages(short)) + 28


def test_hops_that_no_question_has_are_refused():
    with pytest.raises(ValueError, match="one of"):
        list(worlds("train", 1, seed=0, hops=5))
    with pytest.raises(ValueError, match="one of"):
        MiniatureWorlds(hops=1)


def test_a_folder_of_before_is_what_it_was_and_longer_questions_are_written_anew(tmp_path: Path):
    small = {"train": 1, "val": 1, "test": 1, "questions": 1}
    write_miniature(tmp_path / "raw", seed=0, worlds_by_split=dict.fromkeys(("train", "val", "test"), 1))
    marker = (tmp_path / "raw").joinpath(*WORLDS_FILE)
    marker.write_text(json.dumps({**small, "seed": 0}))  # as written before there were hops
    assert worlds_of(tmp_path / "raw") == MiniatureWorlds(**small)
    assert not ensure_miniature(tmp_path / "raw", MiniatureWorlds(**small))
    assert ensure_miniature(tmp_path / "raw", MiniatureWorlds(**small, hops=4))
    assert worlds_of(tmp_path / "raw") == MiniatureWorlds(**small, hops=4)
    marker.write_text("{")
    assert worlds_of(tmp_path / "raw") is None
