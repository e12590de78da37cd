"""A file of several pictures gives an item for each that differs, a strip one for each legible piece."""

from __future__ import annotations

import re
from pathlib import Path

import pi_heif
import pytest
from PIL import Image, ImageDraw

from infra.storage.root import Storage
from tests.assets.user_files.material import SpyOcr, happened, items, take, titles

SHADES = (10, 90, 170, 250)


def write_series(path: Path, shades: tuple[int, ...] = SHADES, **parameters: object) -> Path:
    first, *rest = (Image.new("RGB", (64, 48), (shade, shade, shade)) for shade in shades)
    path.parent.mkdir(parents=True, exist_ok=True)
    first.save(path, save_all=True, append_images=rest, **parameters)
    return path


@pytest.mark.parametrize(
    ("name", "noun", "parameters"),
    [
        ("fax.tif", "page", {}),
        ("lzw.tiff", "page", {"compression": "tiff_lzw"}),
        ("slides.gif", "frame", {"duration": 900}),
        ("slides.webp", "frame", {"duration": 900}),
        ("slides.png", "frame", {"duration": 900}),
        ("slides.avif", "frame", {"duration": 900}),
    ],
)
def test_every_page_and_every_frame_that_differs_is_an_item(
    storage: Storage, tmp_path: Path, name: str, noun: str, parameters: dict[str, object]
):
    report = take(storage, write_series(tmp_path / name, **parameters), ocr=SpyOcr())
    assert titles(storage) == [f"{name} {noun} {number}" for number in (1, 2, 3, 4)]
    assert [item.position for item in items(storage)] == [1, 2, 3, 4]
    assert happened(report) == {name: "read"}


def test_frames_alike_are_one_scene_and_of_very_many_some_are_kept_and_counted(
    storage: Storage, tmp_path: Path
):
    still = write_series(tmp_path / "docs/still.gif", (10, 12, 11, 13), duration=40)
    film = write_series(tmp_path / "docs/film.webp", tuple(range(0, 250, 5)), duration=40, lossless=True)
    report = take(storage, tmp_path / "docs")
    assert happened(report) == {
        film.name: "read: 8 of 50 frames, those that differ most",  # every 35th of 255 greys
        still.name: "read: 1 of 4 frames, those that differ most",
    }
    assert titles(storage)[-1] == "still.gif"


def test_a_damaged_page_does_not_hide_the_others(storage: Storage, tmp_path: Path):
    path = write_series(tmp_path / "scan.tif", compression="jpeg")
    data = bytearray(path.read_bytes())
    starts = [match.start() for match in re.finditer(b"\xff\xd8\xff", data)]
    second = starts[len(starts) // 4]  # of equally many for each page
    data[second : second + 40] = bytes(40)
    path.write_bytes(data)
    report = take(storage, path)
    assert titles(storage) == ["scan.tif page 1", "scan.tif page 3", "scan.tif page 4"]
    assert dict(report.skipped) == {"image_truncated": 1}


def test_of_a_photograph_that_is_cut_short_there_is_what_is_left(storage: Storage, tmp_path: Path):
    path = tmp_path / "photo.jpg"
    Image.effect_noise((160, 120), 80).convert("RGB").save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    report = take(storage, path)
    assert [(item.title, item.width) for item in items(storage)] == [("photo.jpg", 160)]
    assert dict(report.skipped) == {"image_truncated": 1}
    path.write_bytes(whole[: whole.index(b"\xff\xda") + 14])  # no line of it
    assert happened(take(storage, path))["photo.jpg"].startswith("skipped: image_truncated")


def test_a_strip_is_cut_into_parts_that_are_read_one_by_one(storage: Storage, tmp_path: Path):
    strip = Image.new("L", (9_000, 60), "white")
    for x in range(100, 9_000, 700):
        ImageDraw.Draw(strip).rectangle((x, 10, x + 40, 50), fill="black")
    strip.save(tmp_path / "strip.png")
    Image.new("L", (2, 1_000), "grey").save(tmp_path / "hair.png")
    ocr = SpyOcr()
    report = take(storage, tmp_path / "strip.png", tmp_path / "hair.png", ocr=ocr)
    *parts, hair = items(storage)
    assert [part.title for part in parts] == [f"strip.png part {number} of 6" for number in range(1, 7)]
    assert all(part.text == ocr.words and part.width < 17 * 100 for part in parts)
    assert hair.height <= 100 * hair.width
    assert happened(report)["strip.png"] == "read: picture cut into 6 parts"


def test_a_still_of_a_phone_is_read_under_any_name_or_named_for_what_it_is(storage: Storage, tmp_path: Path):
    Image.new("RGB", (64, 48), "red").save(tmp_path / "avif.jpg", format="AVIF")
    (tmp_path / "heic.jpg").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99))
    report = take(storage, tmp_path / "avif.jpg", tmp_path / "heic.jpg")
    assert titles(storage) == ["avif.jpg"]
    assert happened(report)["heic.jpg"].startswith("skipped: image_unreadable: damaged HEIC: ")
    assert pi_heif.libheif_version()
