"""Groups of clips: drawn by the seed alone, each once, across films where there are several."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.xvbench_builder.records import ClipFile
from assets.xvbench_builder.sampling import MAX_OFFERED, MIN_OFFERED, draw_candidates, sample_clips


def clips_of(counts: dict[str, int]) -> dict[str, list[ClipFile]]:
    return {
        film: [
            ClipFile(
                video=film, index=n, start_s=60.0 * n, end_s=60.0 * n + 60, path=Path(f"{film}_{n:03d}.mp4")
            )
            for n in range(count)
        ]
        for film, count in counts.items()
    }


Pools = st.dictionaries(st.sampled_from("abcdefghijkl"), st.integers(1, 12), min_size=1).map(clips_of)


@given(Pools, st.integers(0, 5), st.integers(1, 6))
def test_clips_are_taken_at_intervals_no_longer_than_allowed_and_some_of_each_video(
    clips: dict[str, list[ClipFile]], seed: int, interval: int
):
    taken = sample_clips(clips, seed=seed, interval=interval)
    assert set(taken) == set(clips)
    for film, some in taken.items():
        at = [clip.index for clip in some]
        steps = [later - earlier for earlier, later in zip([-1, *at], [*at, len(clips[film])], strict=True)]
        assert some and all(1 <= step <= interval for step in steps)


def test_a_video_more_changes_nothing_of_the_others():
    few, more = clips_of({"a": 30, "b": 30}), clips_of({"a": 30, "b": 30, "c": 30})
    assert sample_clips(few, seed=3).items() <= sample_clips(more, seed=3).items()


def test_intervals_vary():
    at = [clip.index for clip in sample_clips(clips_of({"a": 200}), seed=0)["a"]]
    assert {later - earlier for earlier, later in pairwise(at)} == {1, 2, 3, 4}


@given(Pools.filter(lambda pool: sum(map(len, pool.values())) > 1), st.integers(0, 3))
def test_groups_are_new_and_across_as_many_videos_as_can_be(pool: dict[str, list[ClipFile]], seed: int):
    drawn = list(draw_candidates(pool, seed=seed, limit=8))
    assert drawn and [candidate.number for candidate in drawn] == list(range(len(drawn)))
    groups = [frozenset(clip.name for clip in candidate.offered) for candidate in drawn]
    assert len(set(groups)) == len(groups)
    for each, group in zip(drawn, groups, strict=True):
        films = {clip.video for clip in each.offered}
        assert MIN_OFFERED <= len(group) == len(each.offered) <= MAX_OFFERED
        assert len(films) == min(len(each.offered), len(pool))
        assert group.isdisjoint(clip.name for clip in each.spare)
    assert drawn[:3] == list(draw_candidates(pool, seed=seed, limit=3))


def test_a_small_pool_is_used_up():
    # a with either clip of b, and all three; the two of b alone would be of one film
    assert len(list(draw_candidates(clips_of({"a": 1, "b": 2}), seed=0, limit=100))) == 3


def test_a_single_clip_is_refused():
    with pytest.raises(ValueError, match="needs 2 at least; the videos give 1"):
        next(draw_candidates(clips_of({"a": 1}), seed=0, limit=1))
