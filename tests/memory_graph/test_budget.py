"""Eq. 8: the paper's example by hand, and the laws of every allocation."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from memory_graph.budget import (
    TOKEN_PIXELS,
    TOTAL_PIXELS,
    Allocation,
    allocate,
    native_pixels,
    shown_size,
    shrink,
)
from memory_graph.energy import energies, kept_items
from memory_graph.graph import MemoryGraph, VisualItem
from tests.memory_graph.graphs import clip, graph, graphs, node, page

MINIATURE_PIXELS = 5 * 128 * 128  # 81,920: five pictures of 128x128 at native size


def picture(item_id: str, priority: int = 3) -> VisualItem:
    """A picture of the miniature."""
    return page(item_id, priority, width=128, height=128)


def test_the_total_is_1280_visual_tokens():
    assert TOTAL_PIXELS == 1_310_720 == 1280 * TOKEN_PIXELS


def test_budgets_of_the_example():
    # Omega = 1.87746151, 0.89498460, 0.54290245, 0.8, their sum 4.11534856;
    # one unit of energy buys 1,310,720 / 4.11534856 = 318,495.5 px, all shares rounded down:
    #   A1: 1.87746151 * 318,495.5 = 597,963.0...   A2: 0.89498460 * 318,495.5 = 285,048.6...
    #   C1: 0.8        * 318,495.5 = 254,796.4...   B1: 0.54290245 * 318,495.5 = 172,911.9...
    example = graph(
        node("A", items=(page("A1", 5), page("A2", 2))),
        node("B", items=(page("B1", 3),)),
        node("C", "A", items=(page("C1", 4),)),
    )
    expected = {("A", "A1"): 597_963, ("A", "A2"): 285_048, ("B", "B1"): 172_911, ("C", "C1"): 254_796}
    for waterfill in (True, False):  # every page is larger than its share, so nothing is left to pour
        granted = allocate(example, energies(example), total_pixels=TOTAL_PIXELS, waterfill=waterfill)
        assert granted == expected
    assert TOTAL_PIXELS - sum(expected.values()) == 2  # four shares rounded down lose less than four pixels


def test_only_the_top_k_items_are_shown_and_share_everything():
    # Omega of one node without decay: p/5, so 1.0, 0.8, 0.6, ...; K = 2: 900 tokens * 1.0/1.8 and * 0.8/1.8
    one = graph(node("A", items=tuple(page(f"p{p}", p) for p in (1, 2, 3, 4, 5))))
    granted = allocate(one, energies(one), total_pixels=900 * TOKEN_PIXELS, top_k=2)
    assert granted == {("A", "p4"): 400 * TOKEN_PIXELS, ("A", "p5"): 500 * TOKEN_PIXELS}


def test_ties_at_the_cut_go_to_the_newer_node():
    twins = graph(node("A", items=(page("a"),)), node("B", items=(page("b"),)))
    granted = allocate(twins, {("A", "a"): 1.0, ("B", "b"): 1.0}, total_pixels=TOTAL_PIXELS, top_k=1)
    assert list(granted) == [("B", "b")]


def test_what_an_item_cannot_use_is_poured_over_the_others():
    # 96,000 px for energies 1, 1, 2: shares 24,000, 24,000, 48,000. The picture of 64x64 holds 4,096 only.
    # The other 91,904 are shared as 1 : 2 -> 30,634.67 and 61,269.33. Without pouring they keep their shares.
    three = graph(node("A", items=(page("small", width=64, height=64), page("x"), page("y"))))
    omega = {("A", "small"): 1.0, ("A", "x"): 1.0, ("A", "y"): 2.0}
    poured = allocate(three, omega, total_pixels=96_000)
    assert poured == {("A", "small"): 4096, ("A", "x"): 30_634, ("A", "y"): 61_269}
    unused = allocate(three, omega, total_pixels=96_000, waterfill=False)
    assert unused == {("A", "small"): 4096, ("A", "x"): 24_000, ("A", "y"): 48_000}


def test_pouring_may_fill_one_item_after_the_other():
    # 60 tokens, even: 20 each. 4 tokens full -> 28 each; 25 tokens full -> the last gets 31.
    three = graph(
        node("A", items=(page("t4", width=64, height=64), page("t25", width=160, height=160), page("big")))
    )
    granted = allocate(three, dict.fromkeys(kept_items(three), 1.0), total_pixels=60 * TOKEN_PIXELS)
    assert [pixels // TOKEN_PIXELS for pixels in granted.values()] == [4, 25, 31]


def test_a_share_below_the_minimum_is_dropped_and_redistributed():
    # 200 tokens for energies 8, 1, 1: 160, 20, 20, minimum 64. The older of the weak two goes first: 177.8
    # and 22.2; then the other one: 200.
    three = graph(node("A", items=(page("a"),)), node("B", items=(page("b"),)), node("C", items=(page("c"),)))
    omega = {("A", "a"): 8.0, ("B", "b"): 1.0, ("C", "c"): 1.0}
    granted = allocate(three, omega, total_pixels=200 * TOKEN_PIXELS, min_pixels=64 * TOKEN_PIXELS)
    assert granted == {("A", "a"): 200 * TOKEN_PIXELS}
    # at a minimum of 22 tokens the first drop is enough: 200 * 8/9 = 177.8 and 200 * 1/9 = 22.2 tokens
    granted = allocate(three, omega, total_pixels=200 * TOKEN_PIXELS, min_pixels=22 * TOKEN_PIXELS)
    assert granted == {("A", "a"): 182_044, ("C", "c"): 22_755}


def test_an_item_smaller_than_the_minimum_is_shown_at_native_size():
    tiny = graph(node("A", items=(page("icon", width=64, height=32), page("big"))))
    granted = allocate(tiny, energies(tiny), total_pixels=TOTAL_PIXELS, min_pixels=64 * TOKEN_PIXELS)
    assert granted["A", "icon"] == 2 * TOKEN_PIXELS


def test_equal_mode_shares_over_all_kept_items_not_only_the_top_k():
    # 20 pictures of 128x128 on the miniature's budget: 81,920 / 20 = 4,096 px each, that is 64x64
    twenty = graph(*(node(f"n{k}", items=(picture(f"p{k}"),)) for k in range(1, 21)))
    granted = allocate(twenty, {}, total_pixels=MINIATURE_PIXELS, allocation=Allocation.EQUAL)
    assert set(granted.values()) == {4096} and len(granted) == 20
    assert shrink(128, 128, 4096) == (64, 64)


def test_energy_mode_shows_the_best_of_twenty_pictures_at_native_size():
    # the same graph with one picture of priority 5: the five best share 81,920 px; 16,384 each is native
    twenty = graph(*(node(f"n{k}", items=(picture(f"p{k}", 5 if k == 10 else 1),)) for k in range(1, 21)))
    granted = allocate(twenty, energies(twenty), total_pixels=MINIATURE_PIXELS)
    assert len(granted) == 5 and granted["n10", "p10"] == 16_384


def test_fixed_mode_gives_total_over_k_each_and_reads_no_energies():
    # 1,310,720 / 5 = 262,144 px = 256 tokens = 512x512, however many items there are
    for count in (1, 3, 5):
        few = graph(node("A", items=tuple(page(f"p{k}") for k in range(count))))
        granted = allocate(few, {}, total_pixels=TOTAL_PIXELS, allocation=Allocation.FIXED)
        assert list(granted.values()) == [262_144] * count
    assert shown_size(page("p"), 262_144) == (512, 512)


def test_fixed_mode_shows_at_most_k_items_by_priority_and_then_newest():
    seven = graph(*(node(f"n{k}", items=(page("p", 5 if k == 1 else 3),)) for k in range(1, 8)))
    granted = allocate(seven, {}, total_pixels=TOTAL_PIXELS, allocation=Allocation.FIXED)
    assert [node_id for node_id, _ in granted] == ["n1", "n4", "n5", "n6", "n7"]


def test_fixed_mode_never_pours():
    mixed = graph(node("A", items=(page("small", width=64, height=64), page("big"))))
    granted = allocate(mixed, {}, total_pixels=TOTAL_PIXELS, allocation=Allocation.FIXED)
    assert list(granted.values()) == [4096, 262_144]


def test_the_frames_of_a_video_share_its_grant_equally():
    # 16,384 px for four frames of 64x64: 4,096 each, native; with 8,192 px 2,048 each -> 45 px -> 32x32
    video = clip("v", 7.5, 22.5, 37.5, 52.5, width=64, height=64)
    assert native_pixels(video) == 16_384
    assert shown_size(video, 16_384) == (64, 64)
    assert shown_size(video, 8192) == (32, 32)


def test_a_video_that_cannot_get_one_token_a_frame_is_not_shown():
    many = graph(node("A", items=(clip("v", *map(float, range(8))), page("p"))))
    omega = {("A", "v"): 1.0, ("A", "p"): 1.0}
    assert len(allocate(many, omega, total_pixels=16 * TOKEN_PIXELS)) == 2
    assert allocate(many, omega, total_pixels=15 * TOKEN_PIXELS) == {("A", "p"): 15 * TOKEN_PIXELS}
    assert allocate(many, {}, total_pixels=35 * TOKEN_PIXELS, allocation=Allocation.FIXED) == {
        ("A", "p"): 7 * TOKEN_PIXELS
    }


def test_an_item_without_energy_is_not_shown():
    two = graph(node("A", items=(page("a"), page("b"))))
    assert list(allocate(two, {("A", "a"): 1.0, ("A", "b"): 0.0}, total_pixels=TOTAL_PIXELS)) == [("A", "a")]


def test_nothing_kept_or_nothing_to_share_grants_nothing():
    for allocation in Allocation:
        assert allocate(graph(node("A")), {}, total_pixels=TOTAL_PIXELS, allocation=allocation) == {}
        one = graph(node("A", items=(page("a"),)))
        assert allocate(one, energies(one), total_pixels=0, allocation=allocation) == {}


@pytest.mark.parametrize(
    "limits",
    [{"total_pixels": -1}, {"top_k": 0}, {"min_pixels": -1}],
)
def test_limits_out_of_range_are_refused(limits):
    with pytest.raises(ValueError):
        allocate(graph(), {}, **{"total_pixels": TOTAL_PIXELS} | limits)


@pytest.mark.parametrize("energy", [None, -1.0, math.nan, math.inf])
def test_an_energy_that_is_missing_or_out_of_range_is_refused(energy):
    one = graph(node("A", items=(page("a"),)))
    with pytest.raises(ValueError, match="energy of"):
        allocate(one, {} if energy is None else {("A", "a"): energy}, total_pixels=TOTAL_PIXELS)


LIMITS = st.fixed_dictionaries(
    {
        "total_pixels": st.integers(0, 3_000_000),
        "top_k": st.integers(1, 6),
        "min_pixels": st.sampled_from((0, 4 * TOKEN_PIXELS, 64 * TOKEN_PIXELS)),
        "waterfill": st.booleans(),
    }
)


@given(graphs(), LIMITS, st.sampled_from(Allocation))
def test_grants_stay_within_the_total_the_native_size_and_the_minimum(
    random_graph: MemoryGraph, limits, allocation
):
    granted = allocate(random_graph, energies(random_graph), allocation=allocation, **limits)
    assert sum(granted.values()) <= limits["total_pixels"]
    assert allocation is Allocation.EQUAL or len(granted) <= limits["top_k"]
    items = kept_items(random_graph)
    for key, pixels in granted.items():
        native = native_pixels(items[key])
        assert pixels <= native
        assert pixels >= min(limits["min_pixels"], native)


@given(graphs(), LIMITS, st.sampled_from(Allocation))
def test_the_true_cost_of_what_is_shown_never_exceeds_its_grant(
    random_graph: MemoryGraph, limits, allocation
):
    granted = allocate(random_graph, energies(random_graph), allocation=allocation, **limits)
    items = kept_items(random_graph)
    for key, pixels in granted.items():
        width, height = shown_size(items[key], pixels)
        assert width * height * items[key].num_frames <= pixels


@given(st.lists(st.floats(0, 10), min_size=1, max_size=6), LIMITS)
def test_of_two_items_alike_the_one_with_more_energy_gets_no_less(omegas: list[float], limits):
    alike = graph(node("A", items=tuple(page(f"p{k}") for k in range(len(omegas)))))
    granted = allocate(alike, {("A", f"p{k}"): omega for k, omega in enumerate(omegas)}, **limits)
    by_energy = [granted.get(("A", f"p{k}"), 0) for k in sorted(range(len(omegas)), key=lambda k: omegas[k])]
    strongest = len(set(omegas)) == len(omegas)  # equal energies at the cut: one is shown, the other is not
    assert not strongest or by_energy == sorted(by_energy)


@given(graphs(max_nodes=3), LIMITS, st.floats(1, 10), st.data())
def test_more_energy_for_an_item_never_lowers_its_grant(
    random_graph: MemoryGraph, limits, factor, data: st.DataObject
):
    omega = energies(random_graph)
    assume(omega)
    key = data.draw(st.sampled_from(sorted(omega)))
    before = allocate(random_graph, omega, **limits)
    after = allocate(random_graph, omega | {key: omega[key] * factor}, **limits)
    assert after.get(key, 0) >= before.get(key, 0)


@given(graphs(), st.integers(0, 3_000_000))
def test_pouring_never_lowers_what_is_used(random_graph: MemoryGraph, total: int):
    omega = energies(random_graph)
    poured = allocate(random_graph, omega, total_pixels=total)
    unused = allocate(random_graph, omega, total_pixels=total, waterfill=False)
    assert sum(poured.values()) >= sum(unused.values()) - len(unused)  # each grant is rounded down once


@given(graphs(), st.floats(0.1, 10))
def test_fixed_grants_do_not_depend_on_energies(random_graph: MemoryGraph, factor: float):
    omega = {key: value * factor for key, value in energies(random_graph).items()}
    with_energies = allocate(random_graph, omega, total_pixels=TOTAL_PIXELS, allocation=Allocation.FIXED)
    assert with_energies == allocate(random_graph, {}, total_pixels=TOTAL_PIXELS, allocation=Allocation.FIXED)


SIDES = st.integers(1, 5000)
PIXELS = st.integers(TOKEN_PIXELS, 4_000_000)


@given(SIDES, SIDES, PIXELS, st.sampled_from((14, 28, 32)))
def test_a_shrunk_picture_costs_at_most_its_pixels_in_whole_tokens(
    width: int, height: int, pixels: int, factor: int
):
    size = shrink(width, height, pixels, factor=factor)
    assert size.width * size.height <= pixels
    assert size.width % factor == size.height % factor == 0
    assert size.width >= factor and size.height >= factor


@given(SIDES, SIDES, PIXELS)
def test_a_picture_is_never_enlarged_beyond_its_first_token(width: int, height: int, pixels: int):
    size = shrink(width, height, pixels)
    assert size.width <= max(width, 32) and size.height <= max(height, 32)


@given(SIDES, SIDES, PIXELS, st.integers(0, 2_000_000))
def test_more_pixels_never_shrink_a_picture(width: int, height: int, pixels: int, more: int):
    small, large = shrink(width, height, pixels), shrink(width, height, pixels + more)
    assert small.width <= large.width and small.height <= large.height


@given(st.integers(32, 5000), st.integers(32, 5000), PIXELS)
def test_sides_lose_less_than_one_token_to_rounding(width: int, height: int, pixels: int):
    scale = min(1.0, math.sqrt(pixels / (width * height)))
    assume(min(width, height) * scale >= 32 and max(width, height) <= 200 * min(width, height))
    size = shrink(width, height, pixels)
    assert (
        width * scale - size.width < 33 and height * scale - size.height < 33
    )  # one pixel for the integer root


@pytest.mark.parametrize(
    ("native", "pixels", "shown"),
    [
        ((128, 128), 16_384, (128, 128)),  # native
        ((128, 128), 1_000_000, (128, 128)),  # never enlarged
        ((128, 128), 16_383, (96, 96)),  # a pixel short: 127.996 -> 96
        ((100, 100), 1_000_000, (96, 96)),  # whole tokens
        ((1000, 500), 125_000, (480, 224)),  # scale 1/2: 500 x 250
        ((4000, 20), 80_000, (2496, 32)),  # the short side needs a token: 78 tokens in a row
        ((20, 4000), 80_000, (32, 2496)),
        ((10, 10), 2000, (32, 32)),  # at least one token
        ((24_000, 100), 262_144, (6400, 32)),  # 7930 x 33: 247 tokens in a row, and a processor takes 200
    ],
)
def test_sizes_by_hand(native, pixels, shown):
    width, height = native
    assert shrink(width, height, pixels) == shown


@pytest.mark.parametrize("bad", [(0, 10, 2000), (10, 0, 2000), (10, 10, 1023)])
def test_a_picture_that_cannot_be_shown_is_refused(bad):
    width, height, pixels = bad
    with pytest.raises(ValueError):
        shrink(width, height, pixels)
