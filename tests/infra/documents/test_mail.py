"""Mails: the body once, in the words that were meant, and what is attached by its content."""

from __future__ import annotations

import base64
from email.message import EmailMessage

from infra.documents.blocks import Attachment, Heading, Picture
from tests.infra.documents.material import blocks, read, texts

HEADS = "From: Ann <ann@kelmo.example>\nTo: bo@kelmo.example\nDate: Mon, 4 Mar 2024 10:00:00 +0000\nMIME-Version: 1.0\n"
ADDRESSES = "From: Ann <ann@kelmo.example>\nTo: bo@kelmo.example\nDate: Mon, 4 Mar 2024 10:00:00 +0000"


def mail(subject: str, rest: str | bytes) -> bytes:
    return f"Subject: {subject}\n{HEADS}".encode() + (rest.encode() if isinstance(rest, str) else rest)


def test_a_body_in_html_alone_and_headers_in_any_encoding_are_read():
    data = mail(
        "=?iso-8859-1?Q?Gr=FC=DFe?= =?utf-8?B?5riv?=",
        "Content-Type: text/html; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n"
        "<html><style>p{}</style><p>Der Kr=FCger z=\nahlt 3=A0=80<p>Ende",
    )
    assert texts(data, "a.txt") == ["Grüße港", ADDRESSES, "Der Krüger zahlt 3 €", "Ende"]


def test_of_alternatives_the_richest_is_read_once_and_what_is_attached_is_handed_on():
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "Plans", "ann@kelmo.example", "bo@kelmo.example"
    message["MIME-Version"] = "1.0"
    message.set_content("plain words")
    message.add_alternative("<html><p>rich words <img src='cid:map'></p></html>", subtype="html")
    message.get_payload()[1].add_related(b"i" * 99, "image", "png", cid="<map>")
    message.add_attachment(b"%PDF-1.7", maintype="application", subtype="octet-stream", filename="Grüße.pdf")
    inner = EmailMessage()
    inner["Subject"], inner["From"] = "Inner", "cy@kelmo.example"
    inner.set_content("words of the inner mail")
    message.add_attachment(inner)
    data = bytes(message)
    found = blocks(data)
    assert [text for text in texts(data) if "words" in text] == ["rich words", "words of the inner mail"]
    assert [block for block in found if isinstance(block, Picture)] == [Picture(b"i" * 99, "cid:map")]
    assert [block for block in found if isinstance(block, Attachment)] == [
        Attachment(b"%PDF-1.7", "Grüße.pdf")
    ]
    assert Heading("Inner") in found
    assert [section.place for section in read(data).sections] == ["", "attached mail 1"]


def test_an_empty_page_gives_way_to_the_plain_form_and_flowed_lines_go_on():
    boundary = 'Content-Type: multipart/alternative; boundary="x"\n\n'
    plain = '--x\nContent-Type: text/plain; charset="utf-8"; format=flowed\n\nOne long \nline.\n\nNext.\n'
    page = "--x\nContent-Type: text/html\n\n<html><body></body></html>\n--x--\n"
    assert texts(mail("S", boundary + plain + page))[2:] == ["One long line.", "Next."]


def test_a_mailbox_is_its_mails_and_raw_letters_in_headers_are_read():
    first = mail("Gr\u00fc\u00dfe", "\nfirst body\n\n>From here on\n")
    second = mail("Two", "Content-Type: text/plain; charset=unknown-1\n\nzw\u00f6lf".encode())
    line = b"From ann@kelmo.example Mon Mar  4 10:00:00 2024\n"
    data = line + first + b"\n" + line + second
    assert [section.place for section in read(data).sections] == ["mail 1", "mail 2"]
    assert texts(data) == ["Grüße", ADDRESSES, "first body", "From here on", "Two", ADDRESSES, "zwölf"]


def test_a_page_saved_as_one_file_is_a_mail_with_its_pictures():
    uri = base64.b64encode(b"i" * 99).decode()
    data = (
        "From: <Saved by Blink>\nSubject: Page\nMIME-Version: 1.0\nContent-Type: multipart/related; boundary=b\n\n"
        "--b\nContent-Type: text/html\n\n<html><p>Saved <img src='http://x/i.png'>\n"
        f"--b\nContent-Type: image/png\nContent-Location: http://x/i.png\nContent-Transfer-Encoding: base64\n\n{uri}\n--b--\n"
    )
    assert texts(data.encode(), "p.mht")[2:] == ["Picture", "Saved"]
