"""What a person looks at first: columns of the tables, and one page of a dataset as a small picture."""

from typing import Any

import dagster as dg

from assets.corpus import shards, tables
from assets.corpus.media import ShardMedia
from infra.errors import MediaError
from infra.media import data_uri, encode_jpeg
from infra.storage.root import Storage

SIDE_PX = 320  # of the longer side of a sample


def columns(asset: str) -> dict[str, Any]:
    """Names and types of the table behind ``corpus_items`` or ``questions``."""
    schema = {"corpus_items": tables.ITEMS, "questions": tables.QUESTIONS}[asset]
    described = [dg.TableColumn(field.name, str(field.type)) for field in schema]
    return {"dagster/column_schema": dg.TableSchema(described)}


def sample_page(storage: Storage, dataset: str) -> dict[str, Any]:
    """The first picture of the shards, small; nothing where there is none or it cannot be decoded."""
    locations = shards.read_locations(storage, dataset)
    if not locations:
        return {}
    item = min(locations)
    media = ShardMedia(storage)
    try:
        image = media.image(item).copy()
    except (MediaError, KeyError):
        return {}
    finally:
        media.close()
    image.thumbnail((SIDE_PX, SIDE_PX))
    uri = data_uri(encode_jpeg(image, quality=70), "image/jpeg")
    return {"sample": dg.MetadataValue.md(f"`{item}`\n\n![{item}]({uri})")}
