"""What goes of one observation: texts first, then frames, then pictures; titles and places stay."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.agent.context import ContextTooLong
from model.agent.display import display
from model.agent.truncation import MIN_PASSAGE_CHARS, shorter_views, truncate
from model.config.limits import MINIATURE_LIMITS
from tests.model.agent.memory_scene import CLIP, PAGE, TEXT

LONG = replace(TEXT, text="word " * 100)
SHOWN = tuple(display(hit, MINIATURE_LIMITS) for hit in (LONG, PAGE, CLIP))


def shape(view):
    return [(len(each.hit.text), len(each.images)) for each in view]


def test_the_order_in_which_things_go():
    assert [shape(view) for view in shorter_views(SHOWN)] == [
        [(500, 0), (4, 1), (6, 4)],
        [(250, 0), (4, 1), (6, 4)],
        [(125, 0), (4, 1), (6, 4)],
        [(100, 0), (4, 1), (6, 4)],
        [(100, 0), (4, 1), (6, 2)],
        [(100, 0), (4, 1), (6, 1)],
        [(100, 0), (4, 1), (6, 0)],
        [(100, 0), (4, 0), (6, 0)],
    ]


def test_fewer_frames_stand_at_even_times_and_say_how_far_apart_they_are():
    half = list(shorter_views(SHOWN))[4][2]
    assert [image.timestamp_s for image in half.images] == [2.0, 6.0] and half.interval_s == 4.0


def test_what_fits_is_left_as_it_is():
    assert truncate(SHOWN, lambda view: 7, max_tokens=7) == SHOWN
    assert truncate((), lambda view: 7, max_tokens=7) == ()


def test_no_more_goes_than_has_to():
    def length(view):
        return sum(len(each.hit.text) + 1000 * len(each.images) for each in view)

    assert shape(truncate(SHOWN, length, max_tokens=5_140)) == [(125, 0), (4, 1), (6, 4)]


def test_titles_that_do_not_fit_are_a_clear_error():
    with pytest.raises(ContextTooLong, match="need 9 tokens, 8 are left"):
        truncate(SHOWN, lambda view: 9, max_tokens=8)


hits = st.lists(
    st.one_of(
        st.builds(lambda size: replace(TEXT, text="x" * size), st.integers(0, 2000)),
        st.just(PAGE),
        st.builds(lambda seconds: replace(CLIP, duration_s=seconds), st.floats(0.5, 100)),
    ),
    max_size=5,
)


@given(hits)
def test_every_view_is_shorter_than_the_one_before_and_names_the_same_items(found):
    views = list(shorter_views([display(hit, MINIATURE_LIMITS) for hit in found]))
    sizes = [(sum(len(e.hit.text) for e in view), sum(len(e.images) for e in view)) for view in views]
    assert all(later <= earlier and later != earlier for earlier, later in pairwise(sizes))
    assert {tuple((e.hit.item_id, e.hit.title) for e in view) for view in views} == {
        tuple((hit.item_id, hit.title) for hit in found)
    }
    assert all(not each.images and len(each.hit.text) <= max(MIN_PASSAGE_CHARS, 0) for each in views[-1])
