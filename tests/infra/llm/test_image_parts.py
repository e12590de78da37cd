"""A clip that is attached to a chat cannot take down whoever attaches it."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import pytest
from PIL import Image

from infra.errors import MediaError
from infra.llm.image_parts import ClipSampling, MessagePart, clip_parts
from tests.infra.media import hostile_files as hostile
from tests.infra.media.breaking import WAYS, breaking, obedient_decoder

SAMPLING = ClipSampling(frames=3, side=32)


def image_of(part: MessagePart) -> Image.Image:
    head, _, data = part["image_url"]["url"].partition(",")
    assert head == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_a_clip_becomes_its_frames_made_to_fit(tmp_path: Path):
    (tmp_path / "clip.mp4").write_bytes(hostile.film(4, size=64))
    parts = clip_parts(tmp_path / "clip.mp4", SAMPLING)
    assert [image_of(part).size for part in parts] == [(32, 32)] * 3


@pytest.mark.parametrize(("deed", "reason"), WAYS)
def test_a_clip_that_breaks_its_decoder_is_refused_and_the_next_one_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deed: str, reason: str
):
    good = hostile.film(4)
    (tmp_path / "bad.mp4").write_bytes(breaking(good, deed))
    (tmp_path / "good.mp4").write_bytes(good)
    with obedient_decoder(monkeypatch, deed) as decoder:
        with pytest.raises(MediaError) as caught:
            clip_parts(tmp_path / "bad.mp4", SAMPLING, decoder=decoder)
        assert caught.value.reason == reason
        assert len(clip_parts(tmp_path / "good.mp4", SAMPLING, decoder=decoder)) == 3


@pytest.mark.parametrize(
    "data", [hostile.film_with_endless_index(), hostile.film_with_broken_offsets(), hostile.film()[:2_000]]
)
def test_a_clip_with_a_broken_index_is_refused_by_the_real_decoder(tmp_path: Path, data: bytes):
    (tmp_path / "clip.mp4").write_bytes(data)
    with pytest.raises(MediaError):
        clip_parts(tmp_path / "clip.mp4", SAMPLING)
