"""Records of runs, together: by hand, from files, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from memory_graph.graph import MemoryGraph
from model.types import Counters, Outcome, Task, Trajectory
from orchestration.study.endpoint_page import area_rows, endpoint_page, endpoint_pictures, learning_curve
from orchestration.study.record import RunRecord, Spending, endpoint, read_records, record_of

STUDY = {"updates": 20, "weights": "abc"}


def answered(question: str, *verdicts: bool | None) -> list[Trajectory]:
    return [
        Trajectory(
            task=Task(id=question, dataset="d", question=question, answers=("a",)),
            graph=MemoryGraph(question=question),
            segments=(),
            outcome=Outcome.ABSTAINED,
            correct=verdict,
            counters=Counters(searches=3),
        )
        for verdict in verdicts
    ]


def run(arm: str, seed: int, *shares: float) -> RunRecord:
    """One question, four answers at each of updates 0, 10 and 20."""
    curve = [
        (10 * place, answered("q", *(number < 4 * share for number in range(4))))
        for place, share in enumerate(shares)
    ]
    return record_of(arm, seed, STUDY, curve, seconds=60.0)


def test_a_record_holds_what_the_endpoint_is_made_of():
    record = run("gspo", 0, 0, 0.5, 1)
    assert record.rates == {0: {"d": {"q": 0.0}}, 10: {"d": {"q": 0.5}}, 20: {"d": {"q": 1.0}}}
    assert record.spending[20] == Spending(right=1.0, searches=3.0, refused=0.0)


def test_a_record_tells_how_right_a_run_was_while_it_trained():
    def trained(arm: str, seed: int, *shares: float) -> RunRecord:
        online = [
            (update, answered(f"q{update}", *(number < 4 * share for number in range(4))))
            for update, share in enumerate(shares, start=1)
        ]
        return record_of(arm, seed, STUDY, [(0, answered("q", True))], seconds=1.0, trained_on=online)

    before = run("gspo", 2, 0, 0, 0)  # of a record without it nothing is compared
    records = [
        trained("gspo", 0, 0.5, 0.5),
        trained("ggpo", 0, 0.5, 1),
        trained("ggpo_half_answers", 0, 0.75, 1),
    ]
    found = endpoint([*records, trained("gspo", 1, 0, 0), trained("ggpo", 1, 0, 0.5), before])
    assert records[1].online == {1: {"d": {"q1": 0.5}}, 2: {"d": {"q2": 1.0}}}
    assert found.online["ggpo"]["gspo"].by_seed == (0.25, 0.25)
    assert found.online["ggpo_half_answers"]["ggpo"].by_seed == (0.125,)
    assert found.online["ggpo_half_answers"]["gspo"].by_seed == (0.375,)
    assert "gspo" not in found.online
    assert found.learning["ggpo"] == {1: (0.5, 0.0), 2: (1.0, 0.5)}
    assert found.learning["gspo"] == {}  # one of its records is of before
    assert {"curve.svg", "learning.svg", "online.svg"} <= set(endpoint_pictures(found))
    assert "GGPO, half answers minus GGPO" in endpoint_page(found)


def test_unscored_answers_count_for_nothing():
    record = record_of("gspo", 0, STUDY, [(0, answered("q", None))], seconds=0.0)
    assert record.by_question == {0: {}}


def test_the_endpoint_pairs_what_was_made_in_several_sittings(tmp_path: Path):
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, records in (
        (first, [run("gspo", 0, 0, 0, 0), run("ggpo", 0, 0, 0.5, 1)]),
        (second, [run("gspo", 1, 0, 0.5, 0.5), run("ggpo", 1, 0, 0.5, 0.5), run("ggpo", 2, 1, 1, 1)]),
    ):
        folder.mkdir()
        for record in records:
            (folder / f"{record.arm}-{record.seed}.json").write_bytes(record.to_json())
    found = endpoint(read_records([first, *sorted(second.iterdir())]))
    assert found.seeds == {"ggpo": (0, 1, 2), "gspo": (0, 1)}
    assert found.areas["ggpo"].by_seed == pytest.approx((0.5, 0.0))  # seed 2 has no partner yet
    assert found.areas["ggpo"].difference.estimate == pytest.approx(0.25)
    assert [each.right for each in found.spending["ggpo"][20]] == [1.0, 0.5, 1.0]


def test_a_record_of_before_an_option_belongs_to_the_study_with_its_default():
    small = {"train": 1, "val": 1, "test": 1, "questions": 1, "seed": 0}
    before = replace(run("gspo", 0, 0, 0), study={**STUDY, "worlds": small})
    after = replace(run("ggpo", 0, 0, 1), study={**STUDY, "worlds": {**small, "hops": 2}})
    assert endpoint([before, after]).areas["ggpo"].by_seed == (0.5,)
    longer = replace(after, study={**STUDY, "worlds": {**small, "hops": 4}})
    with pytest.raises(ValueError, match="they differ in worlds"):
        endpoint([before, longer])


def test_what_does_not_belong_together_is_refused(tmp_path: Path):
    gspo = run("gspo", 0, 0, 0)
    other = replace(run("ggpo", 0, 0, 0), study={**STUDY, "weights": "xyz"})
    with pytest.raises(
        ValueError, match="ggpo-0 and gspo-0 are of different studies: they differ in weights"
    ):
        endpoint([gspo, other])
    with pytest.raises(ValueError, match="a run is there twice"):
        endpoint([gspo, gspo])
    with pytest.raises(ValueError, match="there is no record of a run"):
        endpoint([])
    (tmp_path / "study.json").write_text("{}")
    with pytest.raises(ValueError, match=r"study\.json is not the record of a run of a study"):
        read_records([tmp_path])


def test_the_page_shows_every_seed_and_what_they_say_together():
    runs = [("gspo", 0, 0, 0, 0), ("ggpo", 0, 0, 0.5, 1), ("gspo", 1, 0, 0.5, 0.5), ("ggpo", 1, 0, 0.5, 0.5)]
    found = endpoint([run(*each) for each in runs])
    rows = area_rows(found)
    assert [name for name, *_ in rows] == ["GGPO, seed 0", "GGPO, seed 1", "GGPO, all"]
    assert [value for _, value, _, _ in rows] == pytest.approx([50, 0, 25])
    curve = learning_curve(found)
    assert dict(curve.series)["GGPO"] == ((0, 0.0), (10, 0.5), (20, 0.75))
    assert dict(zip((name for name, _ in curve.series), curve.bands, strict=True))["GSPO"][-1] == (20, 0, 0.5)
    page = endpoint_page(found)
    assert page.count("<svg") == 2
    assert "<tr><td>GGPO<td>1<td>20<td>50.0<td>3.0<td>0.00</tr>" in page
    assert {name: picture[:4] for name, picture in endpoint_pictures(found).items()} == {
        "curve.svg": "<svg",
        "areas.svg": "<svg",
    }
    alone = endpoint([run("ggpo", 0, 0, 0.5, 1)])
    assert endpoint_pictures(alone).keys() == {"curve.svg"}
    assert area_rows(alone) == []
