"""Which clips are described, and which of them are offered together. Pure; everything follows from the seed.

The draws of a video depend on the seed and its name only, a candidate's on the seed, its number and the pool: a repeated run
draws the same.
"""

import random
from collections.abc import Iterator, Mapping, Sequence

from assets.xvbench_builder.records import Candidate, ClipFile

INTERVAL = 4  # clips from one that is taken to the next, at most: one to four minutes
MIN_OFFERED, MAX_OFFERED = 2, 5  # clips that a question is made from; a drafter may leave some aside
SPARES = 5  # other clips, to stand where gold ones would
DRAWS_IN_VAIN = 200  # groups drawn before, in a row, after which the pool counts as used up


def sample_clips(
    clips: Mapping[str, Sequence[ClipFile]], *, seed: int, interval: int = INTERVAL
) -> dict[str, tuple[ClipFile, ...]]:
    """Clips of each video at variable intervals of 1 to ``interval`` clips, at least one of each."""
    if interval < 1:
        raise ValueError(f"an interval of clips is at least 1, got {interval}")
    return {
        video: tuple(_walk(video_clips, interval, random.Random(f"{seed}/{video}")))
        for video, video_clips in clips.items()
    }


def _walk(clips: Sequence[ClipFile], interval: int, draw: random.Random) -> Iterator[ClipFile]:
    at = draw.randrange(min(interval, len(clips)))
    while at < len(clips):
        yield clips[at]
        at += draw.randint(1, interval)


def draw_candidates(pool: Mapping[str, Sequence[ClipFile]], *, seed: int, limit: int) -> Iterator[Candidate]:
    """Up to ``limit`` different groups of clips, from as many videos as there are clips in a group where that is possible.

    Raises:
        ValueError: if the pool holds a single clip, or none.
    """
    total = sum(map(len, pool.values()))
    if total < MIN_OFFERED:
        raise ValueError(
            f"a question over several clips needs {MIN_OFFERED} at least; the videos give {total}"
        )
    drawn_groups: set[frozenset[str]] = set()
    number = in_vain = drawn = 0
    while number < limit and in_vain < DRAWS_IN_VAIN:
        draw = random.Random(f"{seed}//{drawn}")
        drawn += 1
        order = _across_videos(pool, draw)
        offered = order[: draw.randint(MIN_OFFERED, MAX_OFFERED)]
        group = frozenset(clip.name for clip in offered)
        in_vain = in_vain + 1 if group in drawn_groups else 0
        if group in drawn_groups:
            continue
        drawn_groups.add(group)
        spare = order[len(offered) : len(offered) + SPARES]
        yield Candidate(number=number, offered=tuple(offered), spare=tuple(spare))
        number += 1


def _across_videos(pool: Mapping[str, Sequence[ClipFile]], draw: random.Random) -> list[ClipFile]:
    """Clips in random order, no video a second time before every video has come once, enough for one candidate."""
    videos = sorted(pool)
    draw.shuffle(videos)
    left = {
        video: draw.sample(pool[video], min(len(pool[video]), MAX_OFFERED + SPARES))
        for video in videos[: MAX_OFFERED + SPARES]
    }
    order: list[ClipFile] = []
    while len(order) < MAX_OFFERED + SPARES and any(left.values()):
        order += [clips.pop() for clips in left.values() if clips]
    return order
