"""One partition a dataset, and what a step logs of a single one of them.

A step may run over several partitions of which some are left out, each with a data version and checks of its own. Dagster's
results speak of all partitions of a step at once; what is said of one is an event with its name, and the step's output is then
passed on without an event of its own.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster._core.definitions.data_version import (
    CODE_VERSION_TAG,
    DATA_VERSION_IS_USER_PROVIDED_TAG,
    DATA_VERSION_TAG,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)
from dagster._core.definitions.source_asset import SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION

from assets.corpus.dataset import DATASETS

BY_DATASET = dg.StaticPartitionsDefinition(list(DATASETS))
"""One partition a dataset, in the order of the registry; never one a document, page or clip."""

ALL_DATASETS = {
    "dagster/asset_partition_range_start": BY_DATASET.get_partition_keys()[0],
    "dagster/asset_partition_range_end": BY_DATASET.get_partition_keys()[-1],
}
"""Run tags by which one run covers the whole range of partitions, so that a job over all nine needs no backfill."""


DATA_OWNERS, RESEARCH_OWNERS = ["team:data"], ["team:research"]


def observed(key: str, partition: str, version: str, metadata: Mapping[str, Any]) -> dg.AssetObservation:
    """That a partition of something outside was seen to have this data version."""
    return dg.AssetObservation(
        key, partition=partition, metadata=metadata, tags={DATA_VERSION_TAG: version, **_PROVIDED}
    )


def materialized(
    context: dg.AssetExecutionContext,
    key: dg.AssetKey,
    partition: str,
    version: str,
    metadata: Mapping[str, Any],
    inputs: Mapping[str, str],
) -> dg.AssetMaterialization:
    """That a partition was made, with its own data version and the versions of what it was made from, as Dagster would log it."""
    node = context.assets_def.specs_by_key[key]
    tags = {DATA_VERSION_TAG: version, **_PROVIDED, CODE_VERSION_TAG: node.code_version or context.run_id}
    for dep in node.deps:
        read = inputs[dep.asset_key.to_user_string()]
        tags[get_input_data_version_tag(dep.asset_key)] = read
        tags[get_input_event_pointer_tag(dep.asset_key)] = _pointer(
            context.instance, dep.asset_key, partition, read
        )
    return dg.AssetMaterialization(key, partition=partition, metadata=metadata, tags=tags)


def _pointer(instance: dg.DagsterInstance, source: dg.AssetKey, partition: str, read: str) -> str:
    """The observation that saw what was read; another one since makes the asset stale, as does one that nobody saw yet."""
    record = instance.get_latest_data_version_record(source, is_source=True, partition_key=partition)
    if record is None or record.asset_observation is None:
        return "NULL"
    seen = (record.asset_observation.tags or {}).get(DATA_VERSION_TAG)
    return str(record.storage_id) if seen == read else _BEFORE_ALL


def passed_on(output: str) -> dg.Output[None]:
    """The output of a step whose events were logged one by one: what follows runs, and Dagster adds no event."""
    return dg.Output(None, output, metadata={SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True})


_BEFORE_ALL = "1"  # of the events of an instance
_PROVIDED = {DATA_VERSION_IS_USER_PROVIDED_TAG: "true"}
