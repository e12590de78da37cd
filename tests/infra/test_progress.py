"""Progress lines say how far, how fast and how long, and do not flood a log."""

from __future__ import annotations

import pytest

from infra.progress import ProgressLogger, duration, line


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (4320, "1 h 12 min")],
)
def test_durations_read_as_people_say_them(seconds: float, text: str):
    assert duration(seconds) == text


def test_a_line_knows_when_it_will_end():
    # 30 of 120 in 10 s: 3 a second, 90 left are 30 s
    assert line("read", 30, 120, elapsed_s=10) == "read: 30/120 (25%), 3.0/s, 30 s left"
    assert line("read", 120, 120, elapsed_s=61) == "read: 120/120 (100%) in 1 min 01 s"
    assert line("read", 1500, None, elapsed_s=10) == "read: 1,500, 150.0/s"
    assert line("read", 0, 0, elapsed_s=0) == "read: nothing to do"
    assert line("read", 0, 10, elapsed_s=5) == "read: 0/10 (0%)"


def test_a_stage_logs_every_two_seconds_and_at_its_end():
    now, lines = [0.0], list[str]()
    progress = ProgressLogger(lines.append, clock=lambda: now[0])
    for done in range(1, 11):  # one unit each half second: 0.0 to 4.5 s
        progress("read", done, 10)
        now[0] += 0.5
    assert [entry.split(" (")[0] for entry in lines] == ["read: 5/10", "read: 9/10", "read: 10/10"]


def test_stages_are_timed_apart_and_may_come_again():
    now, lines = [0.0], list[str]()
    progress = ProgressLogger(lines.append, clock=lambda: now[0])
    progress("a", 1, 2)
    now[0] = 10.0
    progress("b", 1, 1)
    progress("a", 2, 2)
    now[0] = 11.0
    progress("a", 1, 1)
    assert lines == ["b: 1/1 (100%) in 0 s", "a: 2/2 (100%) in 10 s", "a: 1/1 (100%) in 0 s"]
