"""Zip archives, in parts and hostile."""

from __future__ import annotations

import hashlib
import io
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.downloads import archives
from infra.downloads.archives import UnpackedFile, safe_name, unpack
from infra.errors import DownloadError


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def parts_of(data: bytes, folder: Path, size: int) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = []
    for number, start in enumerate(range(0, len(data), size), 1):
        paths.append(folder / f"a.zip.{number:03d}")
        paths[-1].write_bytes(data[start : start + size])
    return paths


def opened(parts: list[Path], folder: Path, **limits: int) -> list[UnpackedFile]:
    return list(unpack(parts, folder, place=lambda name: name, **{"max_bytes": 1 << 30, **limits}))


@pytest.mark.parametrize("size", [7, 100, 10**6])
def test_an_archive_in_parts_is_one_archive(tmp_path: Path, size: int):
    members = {"videos/-a.mp4": bytes(range(256)) * 9, "b.txt": b"", "c/d.txt": b"said"}
    found = opened(parts_of(zipped(members), tmp_path / "in", size), tmp_path / "out")
    assert found == [
        UnpackedFile(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in members.items()
    ]
    assert {name: (tmp_path / "out" / name).read_bytes() for name in members} == members
    assert not list((tmp_path / "out").rglob("*.part"))


def test_only_what_has_a_place_is_unpacked(tmp_path: Path):
    parts = parts_of(zipped({"repo-1/qa/a.json": b"[]", "repo-1/../../evil": b"x"}), tmp_path / "in", 10**6)
    place = {"repo-1/qa/a.json": "qa/a.json"}.get
    assert [file.name for file in unpack(parts, tmp_path / "out", place=place, max_bytes=10)] == ["qa/a.json"]


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/evil", "a/../../evil", "c:evil", "a\\b", "bad\nname", "x" * 201]
)
def test_names_that_lead_elsewhere_are_refused_before_anything_is_written(tmp_path: Path, name: str):
    parts = parts_of(zipped({"good.txt": b"good", name: b"evil"}), tmp_path / "in", 10**6)
    with pytest.raises(DownloadError, match="leads elsewhere"):
        opened(parts, tmp_path / "deep" / "out")
    assert not (tmp_path / "deep").exists() and not (tmp_path / "evil").exists()


@given(st.text(max_size=30))
def test_a_safe_name_stays_below_its_folder(name: str):
    if (safe := safe_name(name)) is not None:
        assert Path("/base", safe).resolve().is_relative_to("/base")


def test_links_doubles_and_encrypted_members_are_refused(tmp_path: Path):
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(DownloadError, match="is a link"):
        opened(parts_of(buffer.getvalue(), tmp_path / "link", 10**6), tmp_path / "out")
    encrypted = bytearray(zipped({"a": b"secret"}, zipfile.ZIP_STORED))
    encrypted[6] |= 1
    encrypted[encrypted.index(b"PK\1\2") + 8] |= 1
    with pytest.raises(DownloadError, match="encrypted"):
        opened(parts_of(bytes(encrypted), tmp_path / "encrypted", 10**6), tmp_path / "out")
    doubled = parts_of(zipped({"a": b"1", "b": b"2"}), tmp_path / "doubled", 10**6)
    with pytest.raises(DownloadError, match="one name"):
        list(unpack(doubled, tmp_path / "out", place=lambda name: "same", max_bytes=10))


def test_bombs_are_refused_by_what_they_say_and_by_what_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    bomb = zipped({"zeros": bytes(3_000_000)})
    parts = parts_of(bomb, tmp_path / "in", 10**6)
    with pytest.raises(DownloadError, match="3,000,000 bytes, limits"):
        opened(parts, tmp_path / "out", max_bytes=2_000_000)
    with pytest.raises(DownloadError, match="limits 0"):
        opened(parts, tmp_path / "out", max_members=0)
    monkeypatch.setattr(archives, "RATIO_FREE_BYTES", 1000)
    with pytest.raises(DownloadError, match="unpacks to 3,000,000 bytes"):
        opened(parts, tmp_path / "out")
    lying = bytearray(bomb)  # the directory says 999 bytes
    at = lying.index(b"PK\1\2") + 24
    lying[at : at + 4] = (999).to_bytes(4, "little")
    with pytest.raises(DownloadError, match="cannot be unpacked"):
        opened(parts_of(bytes(lying), tmp_path / "lying", 10**6), tmp_path / "out")
    assert not (tmp_path / "out/zeros").exists()


@pytest.mark.parametrize("cut", [0, 10, 60])
def test_a_damaged_archive_is_said_to_be_one(tmp_path: Path, cut: int):
    data = zipped({"a.txt": b"words " * 50})
    parts = parts_of(data[:cut] or b"-", tmp_path / "in", 10**6)
    with pytest.raises(DownloadError, match=r"a\.zip\.001 cannot be unpacked"):
        opened(parts, tmp_path / "out")


def test_a_flipped_byte_does_not_pass(tmp_path: Path):
    data = bytearray(zipped({"a.txt": b"words of some length"}, zipfile.ZIP_STORED))
    data[data.index(b"words")] ^= 1
    with pytest.raises(DownloadError, match="CRC"):
        opened(parts_of(bytes(data), tmp_path / "in", 10**6), tmp_path / "out")
    assert not (tmp_path / "out/a.txt").exists()
