"""Pieces of images cover all of them, overlap, and are legal for a model."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from infra.media import Box, grid_boxes, is_strip, strip_boxes, widened

sides = st.integers(1, 60_000)


@given(sides, sides)
def test_a_strip_is_cut_into_legible_pieces_that_cover_it(width: int, height: int):
    boxes = strip_boxes(width, height)
    assert (len(boxes) > 1) == is_strip(width, height)
    assert (boxes[0].left, boxes[0].top, boxes[-1].right, boxes[-1].bottom) == (0, 0, width, height)
    for before, after in pairwise(boxes):
        assert after.left <= before.right and after.top <= before.bottom
    assert len(boxes) <= 64


def test_pieces_by_hand():
    assert strip_boxes(3_000, 500) == (Box(0, 0, 3_000, 500),)  # six times as long as wide, and legible
    # 8,000 px in pieces of 1,600 with 96 of overlap: six, each (8,000 - 96) / 6 + 96 long
    assert [box.bottom - box.top for box in strip_boxes(100, 8_000)] == [1414] * 5 + [1413]
    assert grid_boxes(3_000, 1_000, 4_000_000) == (Box(0, 0, 3_000, 1_000),)


@given(sides, sides)
def test_the_pieces_of_a_poster_cover_it_and_none_is_too_large(width: int, height: int):
    boxes = grid_boxes(width, height, 4_000_000)
    assert max(box.right for box in boxes) == width and max(box.bottom for box in boxes) == height
    if len(boxes) < 64:
        assert all((box.right - box.left) * (box.bottom - box.top) <= 4_100_000 for box in boxes)


@given(st.integers(1, 6_000), st.integers(1, 6_000))
def test_no_picture_is_left_that_a_processor_refuses(width: int, height: int):
    size = widened(Image.new("1", (width, height))).size
    assert max(size) <= 100 * min(size)
    assert size[0] >= width and size[1] >= height
