"""Decoding in another process gives the very same, and hostile files of every kind are refused with a word."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from infra.errors import MediaError
from infra.media import (
    MediaDecoder,
    OcrError,
    PdfPage,
    SandboxedOcr,
    decoding,
    encode_jpeg,
    encode_png,
    jobs,
    media_decoder,
)
from infra.media import _images as images
from infra.media import _pdf as pdf
from infra.media import _video as videos
from infra.media._ocr import RapidOcr
from infra.media.sandbox.process import InProcessRunner, JobLimits, Sandbox
from tests.infra.media import hostile_files as hostile

NOISE = Image.effect_noise((300, 200), 80).convert("RGB")


def reason(act: Callable[[], object]) -> str:
    with pytest.raises(MediaError) as caught:
        act()
    assert media_decoder().image(encode_png(NOISE)).tobytes() == NOISE.tobytes()  # others are still decoded
    return caught.value.reason


def first_page(data: bytes, decoder: MediaDecoder | None = None) -> PdfPage:
    with (decoder or media_decoder()).open_pdf(data) as document:
        return document.page(1, dpi=72)


def all_pages(data: bytes) -> list[PdfPage]:
    with media_decoder().open_pdf(data) as document:
        return [document.page(number) for number in range(1, document.num_pages + 1)]


@pytest.mark.parametrize("picture_format", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P"])
def test_images_are_the_same_to_the_last_byte(picture_format: str, mode: str):
    if mode in ("RGBA", "P") and picture_format == "JPEG":
        return
    target = io.BytesIO()
    NOISE.convert(mode).save(target, picture_format)
    found, expected = media_decoder().image(target.getvalue()), images.decode(target.getvalue())
    assert (found.mode, found.size, found.tobytes()) == (expected.mode, expected.size, expected.tobytes())
    assert encode_jpeg(found) == encode_jpeg(expected)


def test_large_images_too_which_pillow_keeps_in_pieces():
    data = encode_jpeg(Image.effect_noise((3000, 2500), 50).convert("RGB"))
    assert media_decoder().image(data).tobytes() == images.decode(data).tobytes()


def test_pages_and_their_texts_are_the_same(shared_data: Path):
    path = sorted((shared_data / "mmlongbench_doc" / "documents").glob("*.pdf"))[0]
    with media_decoder().open_pdf(path) as ours, pdf.open_pdf(path) as theirs:
        assert ours.num_pages == theirs.num_pages
        for number in (1, 2, ours.num_pages):
            found, expected = ours.page(number, dpi=72), theirs.page(number, dpi=72)
            assert found.image.tobytes() == expected.image.tobytes()
            assert found._replace(image=NOISE) == expected._replace(image=NOISE)


def test_text_and_image_of_a_page_are_the_same():
    data = hostile.pdf_with_text("Harbour (1901) closed".replace("(", "\\050").replace(")", "\\051"))
    found = first_page(data)
    with pdf.open_pdf(data) as document:
        expected = document.page(1, dpi=72)
    assert found.text == expected.text == "Harbour (1901) closed"
    assert found.image.tobytes() == expected.image.tobytes()


def test_videos_are_the_same_from_bytes_and_from_a_file(tmp_path: Path):
    data = hostile.film()
    (tmp_path / "film.mp4").write_bytes(data)
    for source in (data, tmp_path / "film.mp4"):
        assert media_decoder().probe(source) == videos.probe(source)
        ours, theirs = (module.frames(source, [3.0, 0.2, 0.2]) for module in (media_decoder(), videos))
        assert [frame.time_s for frame in ours] == [3.0, 0.2, 0.2]
        assert [frame.image.tobytes() for frame in ours] == [frame.image.tobytes() for frame in theirs]


def test_two_documents_at_once_do_not_mix_and_a_lost_process_opens_them_again():
    one, other = hostile.pdf_of_pages(3), hostile.pdf_with_box("0 0 200 100")
    with media_decoder().open_pdf(one) as first, media_decoder().open_pdf(other) as second:
        assert first.page(3, dpi=72).image.size == (72, 72)
        assert second.page(1, dpi=72).image.size == (200, 100)
        decoding.sandbox("media").close()
        assert first.page(2, dpi=72).image.size == (72, 72)


def test_wrong_arguments_are_the_callers_fault_on_both_paths(tmp_path: Path):
    with (
        media_decoder().open_pdf(hostile.pdf_of_pages(1)) as document,
        pytest.raises(ValueError, match="page 2 of"),
    ):
        document.page(2)
    with pytest.raises(ValueError, match="negative"):
        media_decoder().frames(b"", [-1.0])
    assert reason(lambda: media_decoder().probe(tmp_path / "no.mp4")) == "video_missing"


def test_a_decoder_can_be_told_to_work_in_this_process(monkeypatch: pytest.MonkeyPatch):
    decoding.sandbox("media").close()
    monkeypatch.setenv(decoding.VARIABLE, decoding.IN_PROCESS)
    for decoder in (MediaDecoder(InProcessRunner()), media_decoder()):
        assert decoder.image(encode_png(NOISE)).tobytes() == NOISE.tobytes()
        assert first_page(hostile.pdf_of_pages(1), decoder).image.size == (72, 72)
        assert decoder.probe(hostile.film()).width == 64
        with pytest.raises(MediaError, match="image_unreadable"):
            decoder.image(b"none")
    assert decoding.sandbox("media").pid is None


def test_the_reader_of_images_reads_the_same_in_a_process_of_its_own():
    sign = first_page(hostile.pdf_with_text("Harbour 1901")).image
    ours, theirs = SandboxedOcr(num_threads=1), RapidOcr(num_threads=1)
    assert ours.text(sign) == theirs.text(sign) == "Harbour 1901"
    assert ours.text(Image.new("RGB", (4, 400))) == ""


@pytest.fixture
def taken_over() -> Iterator[MediaDecoder]:
    """A decoder that obeys its files: it claims what they tell it to."""
    sandbox = Sandbox("tests.infra.media.hostile_operations")
    yield MediaDecoder(sandbox)
    sandbox.close()


@pytest.mark.parametrize(
    "lie",
    [
        {"result": {}, "sizes": [12]},
        {"result": {"images": [[1, 3]]}, "sizes": []},
        {"result": {"images": [[1, 4]]}, "sizes": [12]},
        {"result": {"images": [[-1, -3]]}, "sizes": [12]},
        {"result": {"images": [[1.0, 3]]}, "sizes": [12]},
        {"result": {"images": [[1, 3], [0, 0]]}, "sizes": [12, 0]},
        {"result": {"images": "[1, 3]", "num_pages": "1", "fps": 1}, "sizes": [12]},
        {"result": {"num_pages": 2_001, "duration_s": 1, "fps": 1, "width": 1}, "sizes": []},
        {"result": {"num_pages": True, "duration_s": "x", "fps": 1, "width": 1, "height": 1}, "sizes": []},
    ],
)
def test_no_claim_of_a_decoder_is_believed(taken_over: MediaDecoder, lie: dict[str, object]):
    source = json.dumps(lie).encode()
    acts: list[Callable[[], object]] = [
        lambda: taken_over.image(source, max_pixels=100),
        lambda: first_page(source, taken_over),
        lambda: taken_over.probe(source),
        lambda: taken_over.frames(source, [0.0]),
    ]
    for act in acts:
        with pytest.raises(MediaError) as caught:
            act()
        assert caught.value.reason in ("decoder_failed", "decoder_crashed")


def test_an_engine_that_does_not_load_is_no_fault_of_the_image(taken_over: MediaDecoder):
    with pytest.raises(OcrError, match="no engine"):
        SandboxedOcr().text(NOISE, runner=taken_over.runner)


def test_a_bomb_of_a_gigapixel_is_refused_by_its_header():
    bomb = hostile.png_bomb(40_000, 25_000)
    assert len(bomb) < 200_000
    assert reason(lambda: media_decoder().image(bomb)) == "image_too_large"


def test_a_bomb_just_below_the_limit_is_decoded_within_the_memory_granted():
    picture = media_decoder().image(hostile.png_bomb(9_000, 7_000), max_pixels=64_000_000)
    assert picture.size == (9_000, 7_000)


def test_of_an_animation_the_first_frame_is_taken():
    assert media_decoder().image(hostile.gif(1_000)).getpixel((3, 3)) == (255, 255, 255)


def test_a_hundred_thousand_pages_are_too_many():
    assert reason(lambda: first_page(hostile.pdf_of_pages(100_000))) == "pdf_too_long"


@pytest.mark.parametrize(
    "data",
    [
        hostile.pdf_that_claims(2_000_000_000),
        hostile.pdf_that_claims(-7),
        hostile.pdf_in_a_circle(),
        hostile.pdf_drawing_itself(1),
        hostile.pdf_nested(200_000),
        hostile.pdf_flate_bomb(300),
        hostile.pdf_with_box("0 0 1e9 1e9"),
        hostile.pdf_with_box("0 0 1000000000 0.001"),
        hostile.pdf_with_box("0 0 0 0"),
        hostile.pdf_with_box("0 0 nan 99999999999999999999"),
    ],
    ids=["count", "negative", "circle", "forms", "nested", "flate", "box", "sliver", "empty", "nan"],
)
def test_documents_that_lie_or_go_in_circles_end_in_small_pages_or_a_word(data: bytes):
    try:
        pages = all_pages(data)
    except MediaError as error:
        assert error.reason
    else:
        assert all(page.width * page.height <= 4_000_000 for page in pages)
    assert media_decoder().image(encode_png(NOISE)).tobytes() == NOISE.tobytes()


def test_a_document_that_makes_the_real_decoder_spin_is_ended(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jobs, "SHORT", JobLimits(cpu_s=0.1, wall_s=60))
    assert reason(lambda: first_page(hostile.pdf_drawing_itself(30))) == "too_slow"


@pytest.mark.parametrize(
    ("data", "reasons"),
    [
        (hostile.film()[:2_000], {"video_unreadable"}),
        (hostile.film()[:-400], {"video_unreadable", "video_without_picture"}),
        (hostile.film_with_broken_offsets(), {"video_truncated", "video_unreadable"}),
        (hostile.film_with_endless_index(), {"video_unreadable", "video_truncated", "too_much_memory"}),
    ],
    ids=["cut in the pictures", "cut in the index", "offsets", "entries"],
)
def test_videos_with_a_broken_index_are_refused(data: bytes, reasons: set[str]):
    assert reason(lambda: media_decoder().frames(data, [0.0, 6.0])) in reasons


@pytest.mark.parametrize(
    ("side", "expected"), [(10_000, "video_too_large"), (65_000, "video_unreadable"), (1, None)]
)
def test_a_video_that_claims_absurd_dimensions_is_refused_before_it_is_decoded(
    side: int, expected: str | None
):
    film = hostile.film_that_claims(side, side)
    if expected is None:  # what is changed is really the size
        assert media_decoder().probe(film).width == side
    else:
        assert reason(lambda: media_decoder().probe(film)) == expected
