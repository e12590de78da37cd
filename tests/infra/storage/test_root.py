"""One root on disk or on S3: the same calls, no way out of the root, and no secret in sight."""

from __future__ import annotations

import pickle
from pathlib import Path

import polars as pl
import pytest

from infra.errors import StorageError
from infra.storage.root import Storage
from tests.servers.old_s3_server import old_s3_server


@pytest.fixture(params=["disk", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "disk":
        return Storage(str(tmp_path / "root"))
    served: Storage = request.getfixturevalue("s3_storage")
    return served


def test_what_is_written_is_read_whole_and_in_part(storage: Storage):
    storage.write_bytes("a/b.bin", b"0123456789")
    assert storage.read_bytes("a/b.bin") == b"0123456789"
    assert storage.read_bytes("a/b.bin", start=2, end=5) == b"234"
    assert storage.sizes("a") == {"b.bin": 10}


def test_a_full_path_names_the_same_file_as_a_relative_one(storage: Storage):
    full = storage.path("same", "x.txt")
    storage.write_bytes(full, b"x")
    assert full == f"{storage.root}/same/x.txt" == storage.path(full)
    assert storage.read_bytes("same/x.txt") == b"x"


def test_a_directory_is_listed_sorted_and_removed_whole(storage: Storage):
    for name in ("z.txt", "a.txt", "sub/deep.txt", ".hidden"):
        storage.write_bytes(f"tree/{name}", b"1")
    assert storage.list("tree") == ("a.txt", "sub", "z.txt")
    assert storage.list("nowhere") == ()
    storage.remove_tree("tree")
    storage.remove_tree("tree")
    assert not storage.exists("tree/sub/deep.txt")


def test_a_missing_file_is_a_file_not_found_error(storage: Storage):
    with pytest.raises(FileNotFoundError):
        storage.read_bytes("no/such/file")


def test_a_pickled_storage_opens_the_same_root(storage: Storage):
    storage.write_bytes("p/x", b"kept")
    assert pickle.loads(pickle.dumps(storage)).read_bytes("p/x") == b"kept"


def test_files_opened_for_writing_get_their_parents(storage: Storage):
    with storage.open("deep/er/file.txt", "wb") as file:
        file.write(b"line")
    with storage.open("deep/er/file.txt") as file:
        assert file.read() == b"line"


def test_polars_writes_and_reads_below_the_root_by_its_own_means(storage: Storage):
    storage.write_bytes("tables/.keep", b"")
    target = storage.path("tables", "t.parquet")
    pl.DataFrame({"n": [1, 2, 3]}).write_parquet(target, storage_options=storage.object_store_options())
    assert pl.read_parquet(target, storage_options=storage.object_store_options())["n"].sum() == 6


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/passwd", "s3://other/x", "pipe:x/../y"])
def test_no_path_leads_out_of_the_root(tmp_path: Path, path: str):
    with pytest.raises(ValueError, match="not below the root"):
        Storage(str(tmp_path)).path(path)


def test_the_root_itself_is_never_removed(storage: Storage):
    with pytest.raises(ValueError, match="whole root"):
        storage.remove_tree("")


@pytest.mark.parametrize("root", ["", "file://", "s3://", "gs://bucket", "http://x/y"])
def test_roots_that_cannot_be_are_refused(root: str):
    with pytest.raises(ValueError, match="root"):
        Storage(root)


def test_unknown_options_are_refused_by_name():
    with pytest.raises(ValueError, match="endpiont"):
        Storage("s3://bucket", {"endpiont": "x"})


def test_secrets_are_in_no_repr_and_no_error():
    options = {"key": "AKEY", "secret": "HUSH-HUSH", "endpoint": "http://127.0.0.1:9"}
    storage = Storage("s3://bucket/x", options)
    storage.fs.retries = 1  # nobody listens at that port
    with pytest.raises(StorageError) as caught:
        storage.exists("a")
    assert "HUSH-HUSH" not in f"{storage!r} {storage} {caught.value!r}"


def test_credentials_are_read_from_the_environment_at_call_time(monkeypatch: pytest.MonkeyPatch):
    storage = Storage("s3://bucket/x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1234")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "later")
    assert storage.object_store_options()["aws_endpoint"] == "http://127.0.0.1:1234"
    assert storage.object_store_options()["allow_http"] == "true"
    assert storage.object_store_options()["aws_secret_access_key"] == "later"
    assert Storage("/tmp/x").object_store_options() == {}


def test_a_file_uri_and_a_path_are_the_same_root(tmp_path: Path):
    assert Storage(f"file://{tmp_path}").root == Storage(str(tmp_path)).root
    assert Storage(str(tmp_path)).local_path("a", "b") == tmp_path / "a" / "b"
    assert Storage("s3://bucket").local_path("a") is None


def test_a_store_that_knows_no_checksum_headers_is_written_read_and_cleared():
    with old_s3_server() as store:
        storage = Storage("s3://bucket/pre fix", {"endpoint": store.url, "key": "k", "secret": "s"})
        for name in ("tree/a.txt", "tree/sub/b[1].txt"):
            storage.write_bytes(name, b"body")
        with storage.open("tree/c.txt", "wb") as file:
            file.write(b"body")
        assert storage.read_bytes("tree/a.txt") == b"body" and storage.list("tree") == (
            "a.txt",
            "c.txt",
            "sub",
        )
        assert "bucket/pre fix/tree/sub/b[1].txt" in store.objects
        storage.remove_tree("tree")
        assert store.objects == {} and store.refused == []


@pytest.mark.parametrize("prefix", ["a b#1", "what?x", "50%25", "50%"])
def test_a_prefix_that_is_no_plain_path_in_a_url_is_refused_at_the_start(prefix: str):
    with pytest.raises(ValueError, match="a root on S3 may not hold"):
        Storage(f"s3://bucket/{prefix}")
    assert Storage(f"/tmp/{prefix}").root == f"/tmp/{prefix}"  # a folder may be called anything
