"""HotpotQA, SQuAD, WebQA, SlideVQA and MMLongBench-Doc: which files are published where, and what is known of them.

Sizes and hashes were read in several public records of the files; where there is none here, none is known to us.
Repositories are taken at the head of their main branch unless a revision is given, and the commit found is kept.
"""

from assets.acquisition import records
from assets.acquisition.catalogue import (
    GB,
    MB,
    HubListing,
    NamedFiles,
    PublicationPart,
    PublishedDataset,
    RemoteFile,
    Repository,
    RepositoryHost,
)
from assets.parsers import hotpotqa, mmlongbench_doc, slidevqa, squad, webqa

CHUNKS = 51  # of WebQA's pictures


def _hotpot(name: str, size: int, sha256: str) -> RemoteFile:
    return RemoteFile(name=name, url=f"{{hotpotqa}}/{name}", max_bytes=GB, size=size, sha256=sha256)


def _squad(name: str, size: int, sha256: str) -> RemoteFile:
    return RemoteFile(name=name, url=f"{{squad}}/{name}", max_bytes=GB, size=size, sha256=sha256)


HOTPOTQA = PublishedDataset(
    dataset="hotpotqa",
    licence=hotpotqa.LICENCE,
    parts=(
        PublicationPart(
            name="dev",
            about="7,405 questions with ten paragraphs each, 46 MB",
            sources=(
                _hotpot(
                    "hotpot_dev_distractor_v1.json",
                    46_320_117,
                    "4e9ecb5c8d3b719f624d66b60f8d56bf227f03914f5f0753d6fa1b359d7104ea",
                ),
            ),
        ),
        PublicationPart(
            name="train",
            about="90,447 questions, 566 MB",
            is_default=False,
            sources=(
                _hotpot(
                    "hotpot_train_v1.1.json",
                    566_426_227,
                    "26650cf50234ef5fb2e664ed70bbecdfd87815e6bffc257e068efea5cf7cd316",
                ),
            ),
        ),
        PublicationPart(
            name="fullwiki",
            about="the same dev questions and 7,405 of test with retrieved paragraphs, 94 MB",
            is_default=False,
            sources=(
                _hotpot(
                    "hotpot_dev_fullwiki_v1.json",
                    47_454_698,
                    "2f1f3e594a3066a3084cc57950ca2713c24712adaad03af6ccce18d1846d5618",
                ),
                _hotpot("hotpot_test_fullwiki_v1.json", 46_213_747, "c61a5274...1c2b"),
            ),
        ),
    ),
    questions={
        "hotpot_dev_distractor_v1.json": ("dev",),
        "hotpot_train_v1.1.json": ("train",),
        "hotpot_dev_fullwiki_v1.json": ("dev fullwiki",),
        "hotpot_test_fullwiki_v1.json": ("test fullwiki",),
    },
)

SQUAD = PublishedDataset(
    dataset="squad",
    licence=squad.LICENCE,
    parts=(
        PublicationPart(
            name="v1",
            about="SQuAD 1.1, 87,599 and 10,570 questions, 35 MB",
            sources=(
                _squad(
                    "train-v1.1.json",
                    30_288_272,
                    "3527663986b8295af4f7fcdff1ba1ff3f72d07d61a20f487cb238a6ef92fd955",
                ),
                _squad(
                    "dev-v1.1.json",
                    4_854_279,
                    "95aa6a52d5d6a735563366753ca50492a658031da74f301ac5238b03966972c9",
                ),
            ),
        ),
        PublicationPart(
            name="v2",
            about="SQuAD 2.0, 130,319 and 11,873 questions, 46 MB",
            is_default=False,
            sources=(
                _squad(
                    "train-v2.0.json",
                    42_123_633,
                    "68dcfbb971bd3e96d5b46c7177b16c1a4e7d4bdef19fb204502738552dede002",
                ),
                _squad(
                    "dev-v2.0.json",
                    4_370_528,
                    "80a5225e94905956a6446d296ca1093975c4d3b3260f1d6c8f68bc2ab77182d8",
                ),
            ),
        ),
    ),
    questions={
        "train-v1.1.json": ("train",),
        "dev-v1.1.json": ("dev",),
        "train-v2.0.json": ("train 2.0",),
        "dev-v2.0.json": ("dev 2.0",),
    },
)

WEBQA = PublishedDataset(
    dataset="webqa",
    licence=webqa.LICENCE,
    by_hand=(
        "WebQA is published in a folder of Google Drive (linked from github.com/WebQnA/WebQA), whose files have no "
        "plain addresses. Download WebQA_train_val.json and WebQA_test.json, and imgs.7z.001 to .051 for the pictures, "
        "and put them on any file server or on this machine: vimrag fetch webqa --mirror webqa=URL"
    ),
    terms="The pictures are files of Wikimedia Commons; each has a licence of its own, told on its page.",
    parts=(
        PublicationPart(
            name="questions",
            about="49,272 questions with their facts; no plain address, needs --mirror webqa=URL",
            sources=tuple(
                RemoteFile(name=name, url=f"{{webqa}}/{name}", max_bytes=2 * GB)
                for name in ("WebQA_train_val.json", "WebQA_test.json")
            ),
        ),
        PublicationPart(
            name="images",
            about="389,750 pictures in 51 parts of a 7z archive, 51 GB; to be unpacked by hand: 7z x imgs.7z.001",
            is_default=False,
            needs_terms=True,
            sources=tuple(
                RemoteFile(
                    name=f"imgs.7z.{number:03d}", url=f"{{webqa}}/imgs.7z.{number:03d}", max_bytes=2 * GB
                )
                for number in range(1, CHUNKS + 1)
            ),
        ),
    ),
    questions={"WebQA_train_val.json": ("train", "val"), "WebQA_test.json": ("test",)},
)

SLIDEVQA = PublishedDataset(
    dataset="slidevqa",
    licence=slidevqa.LICENCE,
    terms=(
        "SlideVQA is under NTT's licence for software evaluation: internal evaluation only, no copies, no passing on, "
        "and it may be ended by NTT. Its text lies in github.com/nttmdlab-nlp/SlideVQA; read it before you accept."
    ),
    parts=(
        PublicationPart(
            name="questions",
            about="14,484 questions in three splits",
            needs_terms=True,
            repository=Repository(host=RepositoryHost.GITHUB, name="nttmdlab-nlp/SlideVQA", revision="HEAD"),
            sources=tuple(
                RemoteFile(
                    name=f"annotations/qa/{split}.jsonl",
                    url=f"{{github-raw}}/nttmdlab-nlp/SlideVQA/{{revision}}/annotations/qa/{split}.jsonl",
                    max_bytes=GB,
                )
                for split in ("train", "dev", "test")
            ),
        ),
        PublicationPart(
            name="slides",
            about="52,380 slides as the hub's Parquet, stored again with each question, size unknown; needs HF_TOKEN",
            is_default=False,
            needs_terms=True,
            repository=Repository(host=RepositoryHost.HUB, name="NTT-hil-insight/SlideVQA", revision="main"),
            sources=(HubListing(suffix=".parquet", max_bytes=8 * GB),),
        ),
    ),
    questions={f"annotations/qa/{split}.jsonl": (split,) for split in ("train", "dev", "test")},
)

MMLONGBENCH_DOC = PublishedDataset(
    dataset="mmlongbench_doc",
    licence=mmlongbench_doc.LICENCE,
    parts=(
        PublicationPart(
            name="questions",
            about="1,082 questions and the documents they name, some 135 PDFs",
            repository=Repository(
                host=RepositoryHost.GITHUB, name="mayubo2333/MMLongBench-Doc", revision="HEAD"
            ),
            sources=(
                RemoteFile(
                    name="samples.json",
                    url="{github-raw}/mayubo2333/MMLongBench-Doc/{revision}/data/samples.json",
                    max_bytes=100 * MB,
                ),
                NamedFiles(
                    names=records.documents,
                    url="{github-raw}/mayubo2333/MMLongBench-Doc/{revision}/data/documents/{file}",
                    max_bytes=500 * MB,
                ),
            ),
        ),
    ),
    questions={"samples.json": ("test",)},
)
