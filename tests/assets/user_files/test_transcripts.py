"""Words and their times, from the formats that lie beside videos."""

from __future__ import annotations

import pytest

from assets.user_files.media.transcripts import TranscriptCue, cues, spoken_between

SUBRIP = """1
00:00:01,500 --> 00:00:04,000
{\\an8}<i>Welcome</i>
to the film.

2
01:02:03,000 --> 01:02:04,000
The end &amp; thanks.
"""
WEBVTT = """WEBVTT - a title

NOTE
not said

00:01.000 --> 00:03.000 align:start
<v Bob>Hello<00:00:02.000><c> there</c>

intro
00:03.000 --> 00:05.000
Hello there
how are you
"""


def test_subrip_is_read_without_numbers_and_markup():
    assert cues(SUBRIP) == [
        TranscriptCue(1.5, "Welcome"),
        TranscriptCue(1.5, "to the film."),
        TranscriptCue(3723.0, "The end & thanks."),
    ]


def test_webvtt_is_read_without_notes_and_what_rolling_captions_repeat_is_said_once():
    assert cues(WEBVTT) == [TranscriptCue(1.0, "Hello there"), TranscriptCue(3.0, "how are you")]


@pytest.mark.parametrize(
    "lines",
    ["0:05 first\n1:10 second\nmore", "[00:00:05] first\n[00:01:10] second\nmore"],
)
def test_lines_that_begin_with_a_time_are_cues(lines: str):
    assert cues(lines) == [
        TranscriptCue(5.0, "first"),
        TranscriptCue(70.0, "second"),
        TranscriptCue(70.0, "more"),
    ]


def test_a_time_on_a_line_of_its_own_belongs_to_the_lines_below():
    assert cues("00:05\nfirst\n00:10\nsecond") == [TranscriptCue(5.0, "first"), TranscriptCue(10.0, "second")]


@pytest.mark.parametrize("text", ["", "Meet at 10:30 in the hall.\n10:45 is too late.", "no times at all"])
def test_a_text_that_does_not_begin_with_a_time_has_no_times(text: str):
    assert cues(text) == []


def test_each_cue_belongs_to_the_interval_in_which_it_begins():
    found = [TranscriptCue(0.0, "a"), TranscriptCue(59.9, "b"), TranscriptCue(60.0, "c")]
    assert spoken_between(found, 0.0, 60.0) == "a\nb"
    assert spoken_between(found, 60.0, 120.0) == "c"
