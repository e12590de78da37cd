"""Pictures carry their facts, fine ones only at their fair share of pixels, and survive PDF and video coding."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from assets.miniature import render
from assets.miniature.lexicon import COLOURS, MARKS
from assets.miniature.world import Scene
from assets.miniature.writers.mp4 import mp4_bytes
from assets.miniature.writers.pdf import PdfPageSpec, pdf_bytes
from infra.media import media_decoder
from memory_graph.budget import Allocation, allocate, shrink
from memory_graph.energy import energies
from memory_graph.graph import MemoryGraph, SearchNode, VisualItem, VisualKind
from tests.assets.miniature import template_ocr

TOTAL_PIXELS = 5 * render.SIZE * render.SIZE
AVERAGING = (
    Image.Resampling.BOX,
    Image.Resampling.BILINEAR,
    Image.Resampling.BICUBIC,
    Image.Resampling.LANCZOS,
)
seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=25, deadline=None)
@given(colour=st.sampled_from(COLOURS), code=st.integers(0, 99), seed=seeds)
def test_a_badge_reads_back(colour: str, code: int, seed: int) -> None:
    assert template_ocr.read_badge(render.badge(colour, code, seed)) == (colour, code)


@settings(max_examples=25, deadline=None)
@given(stock=st.tuples(*[st.integers(10, 99)] * 4), output=st.tuples(*[st.integers(1, 9)] * 4), seed=seeds)
def test_slides_read_back(stock: tuple[int, ...], output: tuple[int, ...], seed: int) -> None:
    table, chart = (
        render.table(stock, "Stock: Sudora", seed),
        render.bar_chart(output, "Output: Sudora", seed),
    )
    assert template_ocr.read_table(table) == stock
    assert template_ocr.read_bars(chart) == output
    assert (template_ocr.read_text(table), template_ocr.read_text(chart)) == (
        "Stock: Sudora",
        "Output: Sudora",
    )


def test_no_letters_are_read_where_there_are_none() -> None:
    assert (
        template_ocr.read_text(render.badge("red", 12, 1)) == template_ocr.read_text(render.dial(3, 1)) == ""
    )


@pytest.mark.parametrize("side", [128, 64])
def test_coarse_facts_survive_a_quarter_of_the_pixels(side: int) -> None:
    size = (side, side)
    assert [template_ocr.read_dial(render.dial(reading, 3).resize(size)) for reading in range(10)] == list(
        range(10)
    )
    assert [template_ocr.read_door(render.door(mark, 4).resize(size)) for mark in MARKS] == list(MARKS)
    assert [
        template_ocr.read_badge(render.badge(colour, 5, 6).resize(size)).colour for colour in COLOURS
    ] == list(COLOURS)


def legible_share(side: int, resampling: Image.Resampling) -> float:
    """Share of 100 codes that the nearest-template reader reads at ``side`` pixels."""
    rng = random.Random(9)
    hits = 0
    for code in range(100):
        image = render.badge(rng.choice(COLOURS), code, rng.getrandbits(32))
        shown = image if side == render.SIZE else image.resize((side, side), resampling)
        hits += template_ocr.read_badge(shown).code == code
    return hits / 100


def test_a_code_is_legible_at_its_fair_share() -> None:
    assert legible_share(128, Image.Resampling.BOX) >= 0.98


@pytest.mark.parametrize("resampling", AVERAGING)
def test_a_code_is_lost_at_a_quarter_of_its_fair_share(resampling: Image.Resampling) -> None:
    assert legible_share(64, resampling) <= 0.2


def test_equal_budgets_lose_the_code_that_energy_budgets_keep() -> None:
    """Twenty kept pictures, the newest one marked most important: only energy shows it at native size."""
    nodes = [
        SearchNode(
            id=f"n{number}",
            parents=("root",),
            query="badge",
            summary="kept",
            items=(picture_item(number, priority=5 if number == 20 else 1),),
            retrieved=(f"webqa:image:{number}",),
        )
        for number in range(1, 21)
    ]
    graph = MemoryGraph(question="What code is on the badge of Belodu?", nodes=tuple(nodes))
    gold = ("n20", "webqa:image:20")
    shown = {
        allocation: allocate(
            graph,
            energies(graph),
            total_pixels=TOTAL_PIXELS,
            top_k=5,
            min_pixels=4 * 32 * 32,
            allocation=allocation,
        )
        for allocation in (Allocation.ENERGY, Allocation.EQUAL)
    }
    image = render.badge("blue", 83, 20)
    codes = {
        allocation: template_ocr.read_badge(resized(image, grants[gold])).code
        for allocation, grants in shown.items()
    }
    assert codes["energy"] == 83
    assert codes["equal"] != 83
    assert shown["equal"][gold] <= TOTAL_PIXELS / 20 < shown["energy"][gold] == 128 * 128


def picture_item(number: int, *, priority: int) -> VisualItem:
    side = render.SIZE
    return VisualItem(
        item_id=f"webqa:image:{number}", kind=VisualKind.IMAGE, priority=priority, width=side, height=side
    )


def resized(image: Image.Image, pixels: int) -> Image.Image:
    size = tuple(shrink(image.width, image.height, pixels))
    return image if size == image.size else image.resize(size, Image.Resampling.BICUBIC)


def test_the_grain_hides_nothing_from_a_filter_tuned_to_the_checkerboard() -> None:
    """Two by two differences are zero on grain alone and four times the amplitude on a stroke."""
    empty = np.asarray(render.badge("red", 11, 7), np.int16)[62:98, 28:100, 0]
    checker = empty[::2, ::2] - empty[1::2, ::2] - empty[::2, 1::2] + empty[1::2, 1::2]
    assert set(np.abs(checker).ravel()) == {0, 4 * render.AMPLITUDE}


def test_images_of_equal_facts_differ_in_bytes() -> None:
    assert render.dial(3, 1).tobytes() != render.dial(3, 2).tobytes()


def test_a_dial_on_a_pdf_page_reads_back_at_every_usual_resolution() -> None:
    page = PdfPageSpec(
        lines=("Belodu report.", "Dial of Sudora."), image=render.dial(7, 3), box=(8.0, 0.0, 48.0, 48.0)
    )
    for dpi in (72, 100, 144, 200):
        with media_decoder().open_pdf(pdf_bytes((page,))) as document:
            shown = document.page(1, dpi=dpi)
        assert template_ocr.read_dial(template_ocr.figure_of_page(shown.image)) == 7
        assert shown.text.split() == ["Belodu", "report.", "Dial", "of", "Sudora."]


def test_a_pdf_needs_pages_and_plain_letters() -> None:
    with pytest.raises(ValueError, match="at least one page"):
        pdf_bytes(())
    with pytest.raises(ValueError, match="ASCII"):
        pdf_bytes((PdfPageSpec(lines=("é",)),))


def test_every_scene_reads_back_from_a_coded_video() -> None:
    scenes = [Scene(colour=colour, mark=mark) for colour in COLOURS for mark in MARKS]
    times = [15 * number + 7.5 for number in range(len(scenes))]
    shown = media_decoder().frames(mp4_bytes(scenes, serial=12345), times)
    assert [template_ocr.read_frame(frame.image) for frame in shown] == scenes


def test_unknown_marks_are_refused() -> None:
    with pytest.raises(ValueError, match="mark must be"):
        render.door("spiral", 1)
