"""Mails: the body once, in the words that were meant, and what is attached by its content."""

from __future__ import annotations

import base64
import binascii
import struct
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


def test_a_mail_within_a_mail_is_read_though_it_was_encoded():
    inner = base64.encodebytes(mail("Inner", "\nwords of the inner mail\n")).decode()
    parts = f"--x\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n{inner}\n--x--\n"
    found = texts(mail("Outer", "Content-Type: multipart/mixed; boundary=x\n\n" + parts))
    assert ("Inner" in found, "words of the inner mail" in found) == (True, True)
    assert not any(line in inner for line in "\n".join(found).split("\n") if len(line) > 30)


def test_a_file_in_the_letters_of_old_mails_is_attached_and_no_words():
    lines = b"".join(
        binascii.b2a_uu(b"The tide is at nine.\n"[at : at + 9]) for at in range(0, 21, 9)
    ).decode()
    body = f"\nSee below.\n\nbegin 644 tide table.txt\n{lines}`\nend\n\nBegin 644 is a word too.\n"
    found = blocks(mail("Tides", body))
    assert [block for block in found if isinstance(block, Attachment)] == [
        Attachment(b"The tide is at nine.\n", "tide table.txt")
    ]
    assert [text for text in texts(mail("Tides", body)) if "tide" in text or lines[:9] in text] == []
    assert "Begin 644 is a word too." in texts(mail("Tides", body))


def test_apple_mails_count_and_its_list_of_properties_are_no_part_of_the_mail():
    inner = mail("Pier", "\nThe pier is closed.\n")
    data = b"%d\n" % len(inner) + inner + b'<?xml version="1.0"?><plist><dict></dict></plist>'
    assert texts(data, "1.emlx") == ["Pier", ADDRESSES, "The pier is closed."]


def test_what_outlook_wraps_into_one_part_is_read():
    def attribute(level: int, number: int, data: bytes) -> bytes:
        return struct.pack("<BHHI", level, number, 0, len(data)) + data + struct.pack("<H", sum(data) % 65536)

    rich = b"{\\rtf1 The crane is old.}"
    packed = struct.pack("<II4sI", len(rich) + 12, len(rich), b"MELA", 0) + rich
    value = struct.pack("<IHHII", 1, 0x0102, 0x1009, 1, len(packed)) + packed + b"\0" * 3
    name = "Kräne 2024.txt".encode("utf-16-le")
    of_file = struct.pack("<IHHII", 1, 0x001F, 0x3707, 1, len(name)) + name
    data = struct.pack("<IH", 0x223E9F78, 1) + attribute(1, 0x8004, b"Cranes\0") + attribute(1, 0x9003, value)
    data += attribute(2, 0x9002, b"\0" * 14) + attribute(2, 0x8010, b"KRNE20~1.TXT\0")
    data += attribute(2, 0x800F, b"a list") + attribute(2, 0x9005, of_file)
    assert texts(data)[:2] == ["Cranes", "The crane is old."]
    assert blocks(data)[2] == Attachment(b"a list", "Kräne 2024.txt")
    cut = [texts(data[:length]) for length in range(30, len(data), 7)]  # what is whole of it is read
    assert all("Cranes" in found for found in cut)


LETTER = b"From: a@x\nTo: b@x\nSubject: s\n"


def test_quoted_lines_that_flow_are_joined_without_their_marks():
    body = b"> one \n> two\n>> three \n>> four\nfive \nsix"
    mail = LETTER + b"Content-Type: text/plain; format=flowed\n\n" + body
    assert texts(mail)[-1] == "> one two\n>> three four\nfive six"


def test_why_a_mail_did_not_arrive_is_told():
    parts = (
        "--B\nContent-Type: text/plain\n\nsorry\n"
        "--B\nContent-Type: message/delivery-status\n\nReporting-MTA: m\n\nDiagnostic-Code: smtp; 550 full\n--B--\n"
    )
    mail = LETTER + b"Content-Type: multipart/report; boundary=B\n\n" + parts.encode()
    assert texts(mail)[-3:] == ["sorry", "Reporting-MTA: m", "Diagnostic-Code: smtp; 550 full"]


def test_an_invitation_is_read_as_a_calendar_is_meant():
    body = b"BEGIN:VEVENT\nSUMMARY:North\\, then so\n uth\nEND:VEVENT"
    mail = LETTER + b"Content-Type: text/calendar\n\n" + body
    assert texts(mail)[-1] == "BEGIN:VEVENT\nSUMMARY:North, then south\nEND:VEVENT"


def test_an_invitation_beside_a_text_says_what_the_text_does_not():
    event = "BEGIN:VEVENT\r\nSUMMARY:North\r\nLOCATION;LANGUAGE=en:Old ha\r\n ll\r\nDTSTART:20240305T1000\r\nEND:VEVENT\r\n"
    parts = (
        f"--B\nContent-Type: text/plain\n\nTo the north.\n--B\nContent-Type: text/calendar\n\n{event}--B--\n"
    )
    mail = LETTER + b"MIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=B\n\n" + parts.encode()
    assert texts(mail)[-2:] == ["To the north.", "location: Old hall\nbegins: 2024-03-05 10:00"]


def test_an_attachment_that_was_cut_off_is_read_to_there():
    encoded = base64.b64encode(b"twelve words of a file")[:-3]
    head = b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n--B\nContent-Type: text/plain; name=a.txt\n"
    mail = LETTER + head + b"Content-Transfer-Encoding: base64\n\n" + encoded
    [attached] = [block for block in blocks(mail) if isinstance(block, Attachment)]
    assert b"twelve words of a ".startswith(attached.data[:18]) and len(attached.data) >= 15


def test_behind_a_postmark_one_header_makes_a_mail():
    mail = b"From a@x Mon Jan  1 10:00:00 2024\nSubject: Ferry\nContent-Type: text/html\n\n<p>It <b>sails</b>.</p>\n\n"
    assert texts(mail + mail.replace(b"Ferry", b"Ship"), "inbox") == [
        *("Ferry", "It sails.", "Ship", "It sails."),
    ]


def test_a_sentence_that_begins_like_a_postmark_is_none():
    mail = (
        b"From a@x Mon Jan  1 10:00:00 2024\n"
        + LETTER
        + b"\nWords.\n\nFrom the spring of 2019\nwe know little.\n"
    )
    assert texts(mail + b"\n" + mail)[-1] == "From the spring of 2019\nwe know little."


def test_the_style_sheet_of_a_saved_page_is_no_text():
    parts = "--B\nContent-Type: text/html\n\n<p>words</p>\n--B\nContent-Type: text/css\nContent-Location: x\n\np{}\n--B--\n"
    mail = LETTER + b"MIME-Version: 1.0\nContent-Type: multipart/related; boundary=B\n\n" + parts.encode()
    assert texts(mail)[-1] == "words"


def test_what_a_saved_page_brings_for_its_looks_is_no_file():
    parts = "--B\nContent-Type: text/html\n\n<p>words</p>\n"
    parts += "--B\nContent-Type: text/xml\nContent-Location: f/filelist.xml\n\n<xml/>\n"
    parts += (
        "--B\nContent-Type: text/xml\nContent-Disposition: attachment; filename=a.xml\n\n<a>data</a>\n--B--\n"
    )
    mail = LETTER + b"MIME-Version: 1.0\nContent-Type: multipart/related; boundary=B\n\n" + parts.encode()
    assert [block.name for block in blocks(mail) if isinstance(block, Attachment)] == ["a.xml"]


def test_japanese_headers_that_say_nothing_of_it_and_encodings_with_blanks_are_read():
    head = "Subject: 会議\nFrom: a@x\nTo: b@x\nContent-Type: text/plain; charset=utf-8\n".encode("iso2022_jp")
    mail = head + b"Content-Transfer-Encoding: Quoted-Printable \n\nGr=C3=BC=\n=C3=9Fe\n"
    assert texts(mail)[0] == "会議"
    assert texts(mail)[-1] == "Grüße"
