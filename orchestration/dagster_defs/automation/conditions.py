"""When an asset is made by itself: a chain from raw files to figures, driven by data versions.

A dependency counts as changed when its data version is another one, so that a rebuild with the same bytes makes nothing
follow. What was asked for once is asked for again only after another change: a failed run is not repeated for ever. The
conditions act only while one of the sensors of ``sensors.py`` is on.
"""

from dagster import AssetSelection, AutomationCondition

_CHANGED = AutomationCondition.any_deps_match(AutomationCondition.data_version_changed())
_MISSING = AutomationCondition.missing().newly_true()
_REQUESTED = AutomationCondition.newly_requested()
_IDLE = ~AutomationCondition.in_progress() & ~AutomationCondition.any_deps_in_progress()
_OF_DATASETS = AssetSelection.assets("questions", "shards", "corpus_items")
"""Of which some partitions are always missing: datasets that nobody has."""
_NO_FAILED_CHECK = ~AutomationCondition.any_deps_match(
    AutomationCondition.any_checks_match(AutomationCondition.check_failed(), blocking_only=True)
)

FOLLOWS_RAW = (
    (_CHANGED | _MISSING).since(_REQUESTED) & ~AutomationCondition.any_deps_missing() & _IDLE
).with_label("its raw files changed, or were never read")
"""Of each partition by itself; one whose raw files nobody has seen waits."""

FOLLOWS_CORPUS = (
    (_CHANGED | _MISSING).since(_REQUESTED)
    & AutomationCondition.any_deps_match(~AutomationCondition.missing())
    & _NO_FAILED_CHECK
    & _IDLE
).with_label("a corpus changed, no blocking check of one failed, and none is being built")
"""Of the index, which takes the datasets that are there; several that change together are waited for."""

IN_THE_SAME_RUN = AutomationCondition.any_deps_match(AutomationCondition.will_be_requested()).with_label(
    "what it depends on is made in this run"
)
"""A failed check of what comes before it in the run then stops it."""

FOLLOWS_RELEASE = (
    _CHANGED.ignore(_OF_DATASETS).since(_REQUESTED)
    & ~AutomationCondition.any_deps_missing().ignore(_OF_DATASETS)
    & _NO_FAILED_CHECK
    & _IDLE
).with_label("a release was promoted, and what else it needs is there")
"""Of what reads a release; that a dataset changed is seen when it is in one, and measured once."""
