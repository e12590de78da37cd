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


TOLD = [
    TranscriptCue(1.5, "I raise you"),
    TranscriptCue(1.5, "forty."),
    TranscriptCue(63.0, "Show the jacks."),
]


@pytest.mark.parametrize(
    "written",
    [
        "1\n00:00:01,500 --> 00:00:03,000\nI raise you\n\nforty.\n\n2\n00:01:03,000 --> 00:01:04,000\nShow the jacks.\n",
        "1\n00:01.500 --> 00:03.000\nI raise you\nforty.\n2\n01:03 --> 01:04\nShow the jacks.\n",  # no hours, no blank line
        "WEBVTT\n\nSTYLE\n::cue {}\n\nid one\n00:01,500-->00:03,000\n<b>I raise</b> you\n"
        "forty.\n\nid\n01:03.000 --> 01:04.000\nShow the jacks.",
        "0:00:01.500,0:00:03.000\nI raise you\nforty.\n\n0:01:03.000,0:01:04.000\nShow the jacks.\n",
        "[INFORMATION]\n[SUBTITLE]\n00:00:01.50,00:00:03.00\nI raise you[br]forty.\n\n00:01:03.00,00:01:04.00\nShow the jacks.\n",
        "[Events]\nDialogue: 0,0:00:01.50,0:00:03.00,Default,,0,0,0,,{\\i1}I raise{\\i0} you\\Nforty.\n"
        "Dialogue: 0,0:01:03.00,0:01:04.00,D,,0,0,0,,Show the jacks.",
        "[V4+ Styles]\nFormat: Name, Fontname\n[Events]\nFormat: Start, End, Text\n"
        "Dialogue: 0:00:01.50,0:00:03.00,I raise you\\Nforty.\nDialogue: 0:01:03.00,0:01:04.00,Show the jacks.",
        "{1}{1}20\n{30}{60}I raise you|forty.\n{1260}{1280}{y:i}Show the jacks.\n",
        "[ar:Nobody]\n[00:01.50]I raise you\n[00:01.50]forty.\n[01:03.00]Show the jacks.\n",
        '<tt xmlns="http://www.w3.org/ns/ttml"><body><div><p begin="00:00:01.500" end="3s">I raise you<br/>forty.</p>'
        '<p begin="63s" end="64s"><span>Show the</span> jacks.</p></div></body></tt>',
        '<tt xmlns:t="x"><t:body begin="1s"><t:div><t:p begin="500ms">I raise you<t:br/>forty.</t:p></t:div>'
        '<t:div begin="60s"><t:p begin="2s" dur="1s">Show the jacks.</t:p></t:div></t:body></tt>',
        '<tt><body><div><p><span begin="1.5s">I raise you<br/>forty.</span>\n<span begin="63s">Show the jacks.</span></p>'
        "</div></body></tt>",
        "<SAMI><BODY><SYNC Start=1500><P Class=EN>I raise you<br>forty.\n<SYNC Start=63000><P>Show the jacks.</BODY></SAMI>",
    ],
    ids=[
        *("blank line", "no hours", "WebVTT", "SBV", "SubViewer", "ASS", "ASS in its order", "MicroDVD", "LRC"),
        *("TTML", "TTML in times", "TTML of spans", "SAMI"),
    ],
)  # fmt: skip
def test_every_format_of_subtitles_is_read_whole(written: str):
    assert cues(written) == TOLD


def test_a_number_that_is_said_is_no_number_of_a_cue():
    said = enumerate(("750", "4", "12"), start=1)
    written = "\n".join(
        f"{number}\n00:00:0{number},000 --> 00:00:0{number},900\n{text}\n" for number, text in said
    )
    assert [cue.text for cue in cues(written)] == ["750", "4", "12"]


def test_lines_that_roll_up_or_grow_are_said_once_and_a_refrain_again():
    written = "WEBVTT\n\n"
    for second, text in enumerate(("We land", "We land at noon", "We land at noon\nsharp", "sharp\nnow")):
        written += f"00:{second:02}.000 --> 00:{second + 1:02}.000\n{text}\n\n"
    written += "00:40.000 --> 00:41.000\nsharp\n"
    assert [cue.text for cue in cues(written)] == ["We land at noon", "sharp", "now", "sharp"]


@pytest.mark.parametrize(
    "transcript",
    [
        '{"text": "x", "segments": [{"start": 0.5, "end": 2, "text": " first"}, {"start": 3, "text": " second"}]}',
        '{"events": [{"tStartMs": 500, "segs": [{"utf8": "fir"}, {"utf8": "st"}]}, '
        '{"tStartMs": 3000, "segs": [{"utf8": "second"}]}]}',
        '<?xml version="1.0"?><timedtext format="3"><body><p t="500" d="9"><s>fir</s><s t="9">st</s></p>'
        '<p t="3000">second</p></body></timedtext>',
        '<?xml version="1.0"?><transcript><text start="0.5" dur="2">first</text>'
        '<text start="3">second</text></transcript>',
        "[5][20]/first\n[30][40]second\n",
        "start\tend\ttext\n500\t2000\tfirst\n3000\t4000\tsecond\n",
        '{"transcription": [{"offsets": {"from": 500}, "text": " first"}, {"offsets": 3, "text": "x"}, '
        '{"offsets": {"from": 3000}, "text": " second"}]}',
    ],
    ids=["whisper", "json3", "srv3", "srv1", "mpl2", "table", "whisper.cpp"],
)  # fmt: skip
def test_what_recognisers_and_platforms_write_has_its_times(transcript: str):
    assert cues(transcript) == [TranscriptCue(0.5, "first"), TranscriptCue(3.0, "second")]


def test_other_json_has_no_times():
    assert [cues(text) for text in ('{"segments": 3}', "{broken", "[1]", '{"title": "a film"}')] == [[]] * 4


def test_times_of_single_digits_are_times_and_shapes_are_no_words():
    assert cues("1\n0:0:3,5 --> 0:0:4,0\nshort\n") == [(3.5, "short")]
    spoken = "Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,"
    script = f"{spoken}{{\\p1}}m 0 0 l 9 0{{\\p0}}said\n{spoken}{{\\an7\\p2}}m 1 1 l 2 2\n"
    assert cues(script) == [(1.0, "said")]


def test_less_than_is_no_tag():
    written = "00:01.000 --> 00:02.000\n<i>I</i> <3 it: 2 < 3 > 1 <00:01.500><c.loud>always</c>\n"
    assert cues(written) == [(1.0, "I <3 it: 2 < 3 > 1 always")]


def test_a_time_with_the_words_close_behind_it_is_one_if_every_line_has_it():
    assert cues("00:00:05:42 men|and a dog\n00:01:05=No answer.\n") == [
        *((5.0, "42 men"), (5.0, "and a dog"), (65.0, "No answer.")),
    ]
