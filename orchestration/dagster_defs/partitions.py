"""How assets are cut: one partition a dataset, never one a document, page or clip."""

import dagster as dg

from assets.corpus.dataset import DATASETS

by_dataset = dg.StaticPartitionsDefinition(list(DATASETS))
"""The nine datasets, in the order of the registry."""
