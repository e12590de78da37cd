"""What is told of a reading that goes on, and that nothing is told of one that is over."""

from __future__ import annotations

import pytest

from app.server.reading_now import ReadingNow


def test_the_last_word_of_a_stage_is_kept_with_the_stage_s_beginning():
    now = ReadingNow()
    with now.reading() as progress:
        assert now.stage is None
        progress("files", 0, 3)
        first = now.stage
        progress("files", 2, 3)
        assert first is not None and now.stage is not None
        assert (now.stage.name, now.stage.done, now.stage.total) == ("files", 2, 3)
        assert now.stage.began_s == first.began_s
        progress("embed", 1, None)
        assert (now.stage.name, now.stage.total) == ("embed", None) and now.stage.began_s >= first.began_s


def test_a_reading_that_fails_is_over_too():
    now = ReadingNow()
    with pytest.raises(ValueError), now.reading() as progress:
        progress("files", 1, 2)
        raise ValueError
    assert now.stage is None
