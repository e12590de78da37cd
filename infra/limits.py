"""Bounds on what is accepted from outside, each with its unit and its reason.

Documents, images and clips are hostile input: a file of a few kilobytes can ask for gigabytes of memory.
"""

MAX_IMAGE_PIXELS = 100_000_000  # 300 MB decoded as RGB, several times the largest scan one expects
MAX_IMAGES = 10_000  # in one file: frames of an animation, pages of a TIFF
MAX_PDF_PAGES = 2_000  # the longest MMLongBench document has 468; above this it is no longer a document
MAX_OWN_PAGE_BYTES = 160_000  # of a page kept as a PDF of its own; as a JPEG it has 200 to 500 kB
MAX_PAGE_PIXELS = 4_000_000  # an A4 page at 144 dpi has 2.0 million; posters are rendered smaller
PAGE_DPI = 144  # twice the PDF unit: body text is legible, a page costs some 2,000 visual tokens at full size
MAX_VIDEO_PIXELS = 3840 * 2160  # of one frame; above, a decoder keeps hundreds of MB of reference frames
MAX_VIDEO_SECONDS = 6 * 3600.0  # LVBench's longest video has 2.4 hours
SOUND_RATE = 16_000  # samples a second that a recogniser of speech hears: what Whisper was trained on
MAX_SOUND_SECONDS = 24 * 3600.0  # heard of one file; the longest audio books come in parts
MAX_PIECE_SECONDS = 900.0  # of sound in memory at once: 58 MB
CLIP_SECONDS = 60.0  # arXiv 2602.12735: videos are cut into clips of one minute
MIN_TAIL_SECONDS = 2.0  # a shorter last clip is dropped; references into it mean the clip before
MAX_SHARD_BYTES = 512 * 1024 * 1024  # large enough to stream well from S3, small enough to retry an upload
PARQUET_BATCH_ROWS = 4_096  # rows held in memory while a table is written
PARQUET_BATCH_CHARACTERS = 4_000_000  # of text in these rows: pages of a book are longer than captions
PARQUET_READ_ROWS = 256  # rows turned into records at a time
MEDIA_CACHE_BYTES = 256 * 1024 * 1024  # decoded images of one reader: 5,400 of 128 x 128, or 40 pages
MAX_MEMBER_BYTES = 256 * 1024 * 1024  # of one image or table in a shard that others may have written
MAX_WORKER_BYTES = (
    4 * 1024**3
)  # address space of a decoding process: 100 megapixels, thrice copied, or threads of a 4K video
MAX_WORKER_FILES = 64  # descriptors of a decoding process: it needs a handful
MAX_TEXT_BYTES = 16 * 1024 * 1024  # of one page; a dictionary's has some ten thousand
JOB_SECONDS = 60.0  # processor time of a page or an image; both take less than one
VIDEO_JOB_SECONDS = 900.0  # of a clip: a minute of 4K HEVC decodes at a tenth of its speed on a laptop
SPEECH_FACTOR = 30.0  # seconds of processor time for one of sound; large models on an old laptop take ten
MAX_SPEECH_WORKER_BYTES = 32 * 1024**3  # address space; the largest Whisper takes 12 GB while it is loaded
SPEECH_LOAD_SECONDS = 900.0  # processor time of loading a recogniser
WALL_FACTOR = 3.0  # seconds on the clock for one of processor time: the machine may be busy with other things
MAX_OCR_CHARACTERS_BYTES = 1024 * 1024  # of the text file with the characters of a model; 18,708 have 74 kB
MAX_CLIP_BYTES = 1024 * 1024 * 1024  # of a minute of video as H.264: some 140 megabits a second
MAX_STRIKES = 3  # jobs of one file that may cost a decoding process; the rest of the file is refused
MAX_ARCHIVE_ENTRIES = 20_000  # of an office document or a book; a large deck has some thousand
MAX_ARCHIVE_RATIO = (
    250  # of a part's size to its packed size; sheets of equal rows come to 100, bombs to 1,000
)
MIN_BOMB_BYTES = 4 * 1024 * 1024  # a smaller part is harmless however well it packs
MAX_PART_BYTES = 128 * 1024 * 1024  # of a part that is parsed whole: its tree takes some ten times as much
MAX_SHEET_BYTES = (
    1024 * 1024 * 1024
)  # of a sheet, which is parsed row by row; a million rows have some hundred MB
MAX_CELLS = 5_000_000  # of the sheets of one workbook, or of one table
MAX_DOCUMENT_TEXT_BYTES = 128 * 1024 * 1024  # of all words of a document
MAX_EMBEDDED_BYTES = 256 * 1024 * 1024  # of the pictures and attachments of one document
MAX_EMBEDDED_FILES = 2_000  # pictures and attachments of one document
# address space while a document is parsed; a million cells take a third
MAX_DOCUMENT_WORKER_BYTES = 2 * 1024**3
DOCUMENT_SECONDS = 240.0  # processor time of a document; 50,000 rows take some five
SLIDES_SECONDS = 180.0  # on the clock, for LibreOffice to draw a deck; a small one takes two to seven
MAX_SLIDES_PDF_BYTES = 512 * 1024 * 1024  # of the PDF that it makes, and of any other file
MAX_NESTED_FILES = 3  # a mail in a mail in a mail; further inside nothing is opened
