"""What a file is that is not read here, by its first bytes, and what its owner can do about it."""

_UNPACK = "unpack it and ingest the folder"
_MARKS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"7z\xbc\xaf\x27\x1c", f"7-Zip archive: {_UNPACK}"),
    (0, b"Rar!\x1a\x07", f"RAR archive: {_UNPACK}"),
    (0, b"\x1f\x8b\x08", f"gzip archive: {_UNPACK}"),
    (0, b"BZh", f"bzip2 archive: {_UNPACK}"),
    (0, b"\xfd7zXZ\0", f"xz archive: {_UNPACK}"),
    (0, b"\x28\xb5\x2f\xfd", f"Zstandard archive: {_UNPACK}"),
    (257, b"ustar", f"tar archive: {_UNPACK}"),
    (0, b"PK\x05\x06", "ZIP archive with nothing in it"),
    (0, b"AT&TFORM", "DjVu document: save it as PDF (`ddjvu -format=pdf FILE OUT.pdf`)"),
    (0, b"%!PS", "PostScript document: save it as PDF (`ps2pdf FILE`)"),
    (0, b"\xffWPC", "WordPerfect document: save it as .docx (`soffice --headless --convert-to docx FILE`)"),
    (0, b"ITSF", "compiled HTML help (.chm): unpack it (`7z x FILE`) and ingest the folder"),
    (60, b"BOOKMOBI", "Kindle book (.mobi): convert it to EPUB, for example with Calibre"),
    (0, b"8BPS", "Photoshop picture: save it as PNG"),
    (0, b"SQLite format 3\0", "SQLite database: export its tables as CSV"),
    (4, b"Standard Jet DB", "Access database: export its tables as CSV"),
    (4, b"Standard ACE DB", "Access database: export its tables as CSV"),
    (0, b"!BDN", "Outlook store (.pst): export its folders as .eml or .mbox"),
    (0, b"\0\0\0\x0cjP  ", "JPEG 2000 picture: save it as PNG"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000 picture: save it as PNG"),
    (0, b"\0\0\0\x0cJXL ", "JPEG XL picture: save it as PNG"),
    (0, b"\xff\x0a", "JPEG XL picture: save it as PNG"),
    (0, b"\0\0\1\0", "Windows icon: save it as PNG"),
    (0, b"icns", "Apple icon: save it as PNG"),
    (0, b"\x0a\x05\x01", "PCX picture: save it as PNG"),
    *(
        (0, b"P%d%b" % (kind, end), "Netpbm picture: save it as PNG")
        for kind in range(1, 7)
        for end in (b"\n", b" ")
    ),
    (0, b"DDS ", "DirectDraw picture: save it as PNG"),
    (0, b"gimp xcf ", "GIMP picture: export it as PNG"),
    (
        0,
        b"bplist00",
        "binary property list; of a Safari web archive (.webarchive), save the page as HTML or PDF",
    ),
    (0, b"Scenarist_SCC", "closed captions (.scc): convert them to .srt (`ffmpeg -i FILE FILE.srt`)"),
    (0, b"# VobSub index file", "subtitles that are pictures (VobSub): convert them to .srt by OCR"),
    (0, b"PAR1", "Parquet table: export it as CSV"),
    (0, b"\x89HDF\r\n\x1a\n", "HDF5 data: export what is to be read as CSV"),
    (0, b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d", "OneNote section: export it as PDF or .docx"),
    (0, b"AC10", "AutoCAD drawing: plot it to PDF"),
    (128, b"DICM", "DICOM picture: export it as PNG"),
    (0, b"\xd7\xcd\xc6\x9a", "Windows metafile: save it as PNG"),
    (40, b" EMF", "enhanced metafile: save it as PNG"),
)


_NAMES = {  # of formats without a mark
    **dict.fromkeys((".tga", ".icb", ".vda"), "Targa picture: save it as PNG"),
    **dict.fromkeys(
        (".cr2", ".nef", ".arw", ".orf", ".rw2"), "camera raw picture: develop it to JPEG or TIFF"
    ),
    ".br": f"Brotli archive: {_UNPACK}",
    ".lzma": f"LZMA archive: {_UNPACK}",
}


def foreign_kind(head: bytes) -> str:
    """What a file that begins with ``head`` is and how to convert it; empty if nothing says that it is not read here."""
    return next((what for at, mark, what in _MARKS if head.startswith(mark, at)), "")


def foreign_name(suffix: str) -> str:
    """What a file that nothing else tells anything of is by its name, and how to convert it; empty if that says nothing."""
    return _NAMES.get(suffix.lower(), "")
