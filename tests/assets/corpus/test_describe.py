"""Descriptions of a dataset hold for its bytes: every file, size and hash, every column; a program of others reads it from S3."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from assets.corpus import shards, tables
from assets.corpus.describe import describe, to_bytes
from infra.storage import manifest
from infra.storage.publication import publish
from infra.storage.root import Storage
from tests.assets.small_corpus import item

EXAMPLE = Path(__file__).resolve().parents[3] / "docs" / "examples" / "consume_s3.py"


def build(storage: Storage) -> Storage:
    """Three items, one with a picture, in corpus and shards as every dataset has them."""
    made = {"producer": "test", "params": {}, "inputs": {}, "versioned": True}
    picture = item("p1", "a page", modality="image", media_key="000000", width=4, height=4)
    with publish(storage, "shards/toy", **made) as media:
        writer = shards.ShardWriter(media, "toy")
        writer.add("000000", picture.id, [("png", b"\x89PNG not really")], {"width": 4})
        writer.finish({})
    assert media.manifest is not None
    with publish(storage, "corpus/toy", **made) as corpus:
        corpus.inputs["shards"] = manifest.digest(media.manifest)
        with tables.TableWriter(corpus.open("items.parquet"), tables.ITEMS) as table:
            for each in (item("a", "one"), item("b", "two"), picture):
                table.write(tables.item_row(each))
        with tables.TableWriter(corpus.open("questions.parquet"), tables.QUESTIONS):
            pass
    return storage


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    yield build(Storage(tmp_path_factory.mktemp("described")))


def test_both_name_every_file_with_its_size_and_hash(root: Storage):
    found = describe(root, "toy")
    croissant = {
        each["contentUrl"]: (each["contentSize"], each["sha256"]) for each in found.croissant["distribution"]
    }
    package = {
        each["path"]: (f"{each['bytes']} B", each["hash"].removeprefix("sha256:"))
        for each in found.datapackage["resources"]
    }
    assert croissant == package
    assert {name.rsplit("/", 1)[-1] for name in croissant} >= {
        "items.parquet",
        "questions.parquet",
        "toy-000000.tar",
    }
    for path, (size, digest) in croissant.items():
        data = root.read_bytes(path)
        assert size == f"{len(data)} B" and digest == hashlib.sha256(data).hexdigest()


def test_columns_are_those_of_the_table_and_every_reference_leads_somewhere(root: Storage):
    found = describe(root, "toy")
    (items,) = [each for each in found.croissant["recordSet"] if each["name"] == "items"]
    objects = {each["@id"] for each in found.croissant["distribution"]}
    table = pl.read_parquet(root.path(items["field"][0]["source"]["fileObject"]["@id"]))
    assert [field["source"]["extract"]["column"] for field in items["field"]] == table.columns
    assert {field["source"]["fileObject"]["@id"] for field in items["field"]} <= objects
    assert [field["name"] for field in items["field"] if field.get("repeated")] == ["aliases"]
    (resource,) = [each for each in found.datapackage["resources"] if each["path"].endswith("items.parquet")]
    kinds = {field["name"]: field["type"] for field in resource["schema"]["fields"]}
    assert kinds["width"] == "integer" and kinds["duration_s"] == "number" and kinds["aliases"] == "array"


def test_what_the_formats_ask_for_is_there(root: Storage):
    found = describe(root, "toy")
    needed = {
        "@context",
        "@type",
        "name",
        "description",
        "conformsTo",
        "license",
        "url",
        "version",
        "distribution",
        "recordSet",
    }
    assert (
        needed <= found.croissant.keys()
        and found.croissant["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    )
    ids = [each["@id"] for each in found.croissant["distribution"]]
    ids += [each["@id"] for record in found.croissant["recordSet"] for each in (record, *record["field"])]
    assert len(ids) == len(set(ids)), "an id stands for one thing"
    names = [each["name"] for each in found.datapackage["resources"]]
    assert len(names) == len(set(names)) and all(name == name.lower() and "_" not in name for name in names)
    assert to_bytes(found.croissant) == to_bytes(describe(root, "toy").croissant)


def test_the_example_reads_a_dataset_from_s3_with_nothing_of_ours(s3_storage: Storage, tmp_path: Path):
    pytest.importorskip("boto3", reason="the example needs boto3")
    storage = Storage(f"{s3_storage.root}/consumed", s3_storage._options)
    build(storage)
    endpoint = s3_storage._options["endpoint"]
    keys = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_DEFAULT_REGION": "us-east-1"}
    quiet = {
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
    }
    words = [sys.executable, str(EXAMPLE), storage.root, "toy", "--endpoint", endpoint]
    environment = {**os.environ, **keys, **quiet, "PYTHONPATH": ""}
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, timeout=100, env=environment)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["items"] == 3 and said["by_modality"] == {"image": 1, "text": 2} and said["shards"] == 1
    assert (
        said["samples"] == [{"key": "000000", "parts": ["json", "png"]}] and said["samples_belong_to_items"]
    )
    loaded = {
        line.split()[1].split(".")[0]
        for line in EXAMPLE.read_text().splitlines()
        if line.startswith(("import ", "from "))
    }
    assert not loaded & {"app", "assets", "infra", "model", "memory_graph", "orchestration"}


def test_a_changed_byte_is_not_taken(s3_storage: Storage, tmp_path: Path):
    pytest.importorskip("boto3", reason="the example needs boto3")
    storage = Storage(f"{s3_storage.root}/flipped", s3_storage._options)
    build(storage)
    paths = [each["path"] for each in describe(storage, "toy").datapackage["resources"]]
    (path,) = [each for each in paths if each.endswith("items.parquet")]
    data = storage.read_bytes(path)
    storage.write_bytes(path, data[:40] + bytes([data[40] ^ 1]) + data[41:])
    keys = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_DEFAULT_REGION": "us-east-1"}
    words = [sys.executable, str(EXAMPLE), storage.root, "toy", "--endpoint", s3_storage._options["endpoint"]]
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=100, env={**os.environ, **keys, "PYTHONPATH": ""}
    )
    assert done.returncode == 1 and "is not the file that was published" in done.stderr
