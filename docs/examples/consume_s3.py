"""Reads a published dataset from S3 with nothing of ours: boto3, polars and webdataset.

    AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=... python docs/examples/consume_s3.py s3://bucket/root slidevqa --samples 3

Follows what docs/architecture.md says of artifacts: the manifest of a corpus names the folder of the version that is current,
its files with their hashes, and the version of the shards that belongs to it. Every byte is compared with the manifest before
it is used; a pull that meets a newer version halfway still reads the one that it began with. Prints one JSON line.
"""

import argparse
import hashlib
import io
import json
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import polars as pl
import webdataset as wds


class Root:
    """A root on S3."""

    def __init__(self, address: str, endpoint: str | None) -> None:
        parts = urlsplit(address)
        self.bucket, self.prefix = parts.netloc, parts.path.strip("/")
        self.client = boto3.client("s3", endpoint_url=endpoint)

    def read(self, path: str) -> bytes:
        """The bytes of one object below the root."""
        key = f"{self.prefix}/{path}" if self.prefix else path
        return self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def manifest(self, artifact: str, version: str | None = None) -> tuple[str, dict]:
        """The folder of a version's files, and its manifest; the current one without a version (a sha256)."""
        folder = f"{artifact}/{version[:16]}" if version else artifact
        known = json.loads(self.read(f"{folder}/manifest.json"))
        return (f"{artifact}/{known['folder']}" if known.get("folder") else artifact), known

    def file(self, folder: str, manifest: dict, name: str) -> bytes:
        """A file whose bytes are those that were published."""
        entry = next(file for file in manifest["files"] if file["name"] == name)
        data = self.read(f"{folder}/{name}")
        if hashlib.sha256(data).hexdigest() != entry["sha256"]:
            raise SystemExit(f"{folder}/{name} is not the file that was published")
        return data


def main() -> None:
    """Items as a table, the first samples of the shards, and how they belong together."""
    parser = argparse.ArgumentParser()
    parser.add_argument("root")
    parser.add_argument("dataset")
    parser.add_argument("--endpoint")
    parser.add_argument("--samples", type=int, default=3)
    given = parser.parse_args()
    root = Root(given.root, given.endpoint)
    folder, corpus = root.manifest(f"corpus/{given.dataset}")
    items = pl.read_parquet(io.BytesIO(root.file(folder, corpus, "items.parquet")))
    shard_folder, shards = root.manifest(f"shards/{given.dataset}", corpus["inputs"]["shards"])
    tars = [file["name"] for file in shards["files"] if file["name"].endswith(".tar")]
    samples = []
    with tempfile.TemporaryDirectory() as local:
        for name in tars:
            path = Path(local) / Path(name).name
            path.write_bytes(root.file(shard_folder, shards, name))
            for sample in wds.WebDataset(str(path), shardshuffle=False):
                if len(samples) < given.samples:
                    samples.append(
                        {
                            "key": sample["__key__"],
                            "parts": sorted(each for each in sample if not each.startswith("__")),
                        }
                    )
    known = set(items["media_key"].drop_nulls().to_list())
    print(json.dumps({
        "dataset": given.dataset,
        "items": items.height,
        "by_modality": dict(items["modality"].value_counts().sort("modality").iter_rows()),
        "with_media": len(known),
        "shards": len(tars),
        "samples": samples,
        "samples_belong_to_items": all(sample["key"] in known or not known for sample in samples),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
