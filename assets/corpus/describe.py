"""A dataset described for programs that know nothing of us: Croissant 1.0 and a Frictionless data package.

Both are made from manifests alone, so names, sizes and hashes are those of the bytes; paths are relative to the root. Nothing
is read of the items but their schema.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from assets.corpus import shards, tables
from assets.corpus.merge import ITEMS, QUESTIONS
from assets.corpus.read import directory
from infra.storage import manifest
from infra.storage.manifest import Manifest
from infra.storage.root import Storage

CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "recordSet": "cr:recordSet",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "extract": "cr:extract",
    "column": "cr:column",
    "source": "cr:source",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "repeated": "cr:repeated",
}
TABLES = {ITEMS: tables.ITEMS, QUESTIONS: tables.QUESTIONS}
CROISSANT_TYPES = {pa.int32(): "sc:Integer", pa.float64(): "sc:Float"}
PACKAGE_TYPES = {pa.int32(): "integer", pa.float64(): "number"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """The two documents."""

    croissant: Mapping[str, Any]
    datapackage: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    path: str
    name: str
    size: int
    sha256: str
    media_type: str


def describe(storage: Storage, dataset: str) -> Described:
    """The corpus that is current and the shards that it belongs to. ``ValueError`` if it is not built."""
    corpus = manifest.read(storage, directory(dataset))
    files = list(_files(directory(dataset), corpus))
    if media := corpus.inputs.get("shards"):
        known = manifest.read(storage, shards.directory(dataset), media)
        files += _files(shards.directory(dataset), known)
    version = manifest.digest(corpus)[:16]
    licences = sorted({str(value) for value in (corpus.params.get("licence"),) if value}) or ["unknown"]
    return Described(
        croissant=_croissant(dataset, version, files, licences),
        datapackage=_datapackage(dataset, version, files, licences),
    )


def to_bytes(document: Mapping[str, Any]) -> bytes:
    """As a file; equal documents give equal bytes."""
    return json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"


def _files(artifact: str, known: Manifest) -> Iterator[_File]:
    folder = manifest.folder_of(artifact, known)
    for file in known.files:
        media_type = "application/x-tar" if file.name.endswith(".tar") else "application/vnd.apache.parquet"
        if not file.name.endswith((".tar", ".parquet")):
            media_type = "application/json"
        yield _File(
            path=f"{folder}/{file.name}",
            name=file.name,
            size=file.size,
            sha256=file.sha256,
            media_type=media_type,
        )


def _croissant(dataset: str, version: str, files: list[_File], licences: list[str]) -> dict[str, Any]:
    return {
        "@context": dict(CONTEXT),
        "@type": "sc:Dataset",
        "name": dataset,
        "description": f"Items, questions and media of {dataset}, as VimRAG built them.",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "version": version,
        "license": licences,
        "url": "https://github.com/",
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": file.path,
                "name": file.path,
                "contentUrl": file.path,
                "contentSize": f"{file.size} B",
                "encodingFormat": file.media_type,
                "sha256": file.sha256,
            }
            for file in files
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": name.removesuffix(".parquet"),
                "name": name.removesuffix(".parquet"),
                "field": [_field(file, name, column) for column in TABLES[name]],
            }
            for file in files
            if (name := file.name) in TABLES and file.path.startswith("corpus/")
        ],
    }


def _field(file: _File, table: str, column: pa.Field) -> dict[str, Any]:
    repeated = pa.types.is_list(column.type)
    inner = column.type.value_type if repeated else column.type
    field: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{table.removesuffix('.parquet')}/{column.name}",
        "name": column.name,
        "dataType": CROISSANT_TYPES.get(inner, "sc:Text"),
        "source": {"fileObject": {"@id": file.path}, "extract": {"column": column.name}},
    }
    return field | ({"repeated": True} if repeated else {})


def _datapackage(dataset: str, version: str, files: list[_File], licences: list[str]) -> dict[str, Any]:
    return {
        "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
        "name": dataset.replace("_", "-"),
        "version": version,
        "licenses": [{"name": each} for each in licences],
        "resources": [_resource(number, file) for number, file in enumerate(files)],
    }


def _resource(number: int, file: _File) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": f"{number:04d}-{file.name.rsplit('.', 1)[0].replace('/', '-').replace('_', '-').lower()}",
        "path": file.path,
        "mediatype": file.media_type,
        "bytes": file.size,
        "hash": f"sha256:{file.sha256}",
    }
    if file.name in TABLES:
        described["type"] = "table"
        described["schema"] = {"fields": [_column(column) for column in TABLES[file.name]]}
    return described


def _column(column: pa.Field) -> dict[str, str]:
    kind = "array" if pa.types.is_list(column.type) else PACKAGE_TYPES.get(column.type, "string")
    return {"name": column.name, "type": kind}
