"""Office, web and mail documents become passages and pictures with a place that a reader would name, and are found."""

from __future__ import annotations

import io
from email.message import EmailMessage
from pathlib import Path

from PIL import Image

from assets.corpus.item import Modality
from assets.index.published import open_index
from assets.user_files.document_passages import DocumentPassage, section_passages
from infra.media import Heading, Paragraph, Picture, Section, Table
from infra.storage.root import Storage
from tests.assets.small_corpus import CountingEmbedder
from tests.assets.user_files.material import SpyOcr, happened, items, take, write_pdf, write_text
from tests.infra.documents.material import docx, p, relationships, zipped


def png(shade: int = 40, *, size: tuple[int, int] = (64, 48)) -> bytes:
    target = io.BytesIO()
    Image.effect_noise(size, shade).convert("RGB").save(target, "PNG")
    return target.getvalue()


def with_picture(text: str, picture: bytes) -> bytes:
    drawing = (
        '<w:p><w:r><w:drawing><wp:docPr descr="A harbour plan"/><a:blip r:embed="i"/></w:drawing></w:r></w:p>'
    )
    parts = {"_rels/document.xml.rels": relationships(i="image media/i.png"), "media/i.png": picture}
    return docx(p(text) + drawing, **parts)


def mail_of(folder: Path) -> bytes:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "The fee", "ann@kelmo.example", "bo@kelmo.example"
    message.set_content("See the two files.")
    paper = write_pdf(folder / "paper.pdf", "The berth of Belodu costs nine crowns.").read_bytes()
    message.add_attachment(paper, maintype="application", subtype="octet-stream", filename="paper.bin")
    book = zipped({"notes.txt": "x"})
    message.add_attachment(book, maintype="application", subtype="octet-stream", filename="pack.zip")
    return bytes(message)


def test_documents_of_every_kind_are_read_named_and_found(storage: Storage, tmp_path: Path):
    docs = tmp_path / "docs"
    write_text(
        docs / "fees.csv", "Fees of 2024\n\nTown,Fee\n" + "".join(f"town{n},{n}\n" for n in range(400))
    )
    (docs / "plan.zip").write_bytes(with_picture("The quay is long.", png()))
    (docs / "mail.eml").write_bytes(mail_of(tmp_path))
    (docs / "old.docx").write_bytes(b"7z\xbc\xaf\x27\x1c" + b"\0" * 100)
    report = take(storage, docs, ocr=SpyOcr("gate number four"))
    assert happened(report) == {
        "fees.csv": "read",
        "mail.eml": "read: kind_unsupported 1",
        "old.docx": "skipped: kind_unsupported: 7-Zip archive: unpack it and ingest the folder",
        "plan.zip": "read: read as Word document, which it is",
    }
    found = {item.title: item for item in items(storage)}
    assert [title for title in found if "fees" not in title] == [
        "mail.eml: The fee",
        "mail.eml > paper.bin page 1",
        "plan.zip",
        "plan.zip picture 1",
    ]
    assert found["mail.eml > paper.bin page 1"].text == "The berth of Belodu costs nine crowns."
    assert found["plan.zip picture 1"].modality is Modality.IMAGE
    assert found["plan.zip picture 1"].text == "A harbour plan\ngate number four"
    rows = next(item for item in found.values() if "town250 | 250" in item.text)
    assert rows.text.startswith("Town | Fee\n")
    assert rows.title.startswith("fees.csv rows ")
    assert "Unnamed" not in rows.text
    [hit] = open_index(storage, embedder=CountingEmbedder()).search("town250", 1)
    assert hit.text == rows.text


def test_a_long_table_goes_on_below_its_head_and_a_short_one_stays_in_its_passage():
    short = Table((("a", "b"), ("1", "2")), 0)
    long = Table(
        (("Report", ""), ("name", "town"), *((f"n{n}", "x") for n in range(30))), 1, tuple(range(1, 33))
    )
    parts = list(section_passages(Section("sheet A", (Heading("H"), Paragraph("t"), short, long)), 20))
    assert parts[0] == DocumentPassage(" sheet A: H", "H\n\nt\n\na | b\n1 | 2")
    assert parts[1].text.startswith("Report\nname | town\nn0 | x")
    assert parts[2].title == " sheet A rows 11-18: H"
    assert parts[2].text.startswith("name | town\nn8 | x")
    assert all(len(part.text.split()) <= 40 for part in parts[1:])


def test_pictures_stand_behind_the_passage_they_stand_in():
    picture = Picture(b"x", "i.png")
    blocks = (Paragraph("one"), picture, Paragraph("two"), Heading("Next"), Paragraph("three"))
    assert list(section_passages(Section("", blocks), 50)) == [
        DocumentPassage("", "one\n\ntwo"),
        picture,
        DocumentPassage(": Next", "Next\n\nthree"),
    ]
