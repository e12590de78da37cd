"""What a run is made from: questions of each split, the media of their evidence, and the index they are searched in."""

from collections import Counter
from collections.abc import Iterator, Sequence

from assets.corpus import shards
from assets.corpus.read import built_datasets, media_items
from assets.index.published import IndexPointer, corpora, current_index, open_index, remembered_settings
from assets.index.settings import embedders_of
from infra.embedders.config import EmbedderKind
from infra.storage import manifest
from infra.storage.root import Storage
from infra.vector_stores.types import IMAGE_SPACE
from model.types import Task
from orchestration.joins.adapters import tasks_of_split
from orchestration.preflight.types import Check
from orchestration.recipes.options import Recipe
from orchestration.recipes.requirements import Requirements

SPLITS = ("train", "val", "test")
NAMED = 3  # items of a fault that are named
BUILD = "build it anew: vimrag index build --root"


def question_checks(storage: Storage, recipe: Recipe) -> Iterator[Check]:
    """Whether there are questions that train, that choose between checkpoints, and that measure."""
    for split in SPLITS:
        name = f"questions: {split}"
        try:
            tasks = tasks_of_split(storage, split, question_set=recipe.question_set)
        except ValueError as error:
            remedy = f"vimrag questions build --root {storage.root} (--cut DATASET=0.5 trains on a part of what measures)"
            yield Check(
                name=name, passed=False, detail=str(error).partition(". To train on")[0], remedy=remedy
            )
            continue
        yield Check(name=name, passed=True, detail=counted(tasks))


def counted(tasks: Sequence[Task]) -> str:
    """``12: hotpotqa 7, squad 5``."""
    of_datasets = ", ".join(f"{name} {count:,}" for name, count in Counter(t.dataset for t in tasks).items())
    return f"{len(tasks):,}: {of_datasets}"


def media_checks(storage: Storage) -> Iterator[Check]:
    """Whether the pixels of every item that has some lie in finished shards, file by file at its size."""
    for dataset in built_datasets(storage):
        wanted = media_items(storage, dataset)
        name = f"media: {dataset}"
        remedy = (
            f"build corpus and shards again: vimrag corpus build --datasets {dataset} --root {storage.root}"
        )
        try:
            there = shards.read_locations(storage, dataset) if wanted else {}
        except ValueError as error:
            yield Check(name=name, passed=False, detail=str(error), remedy=remedy)
            continue
        if missing := [item for item in wanted if item not in there]:
            named = ", ".join(missing[:NAMED])
            detail = f"{len(missing):,} of {len(wanted):,} items have no pixels, among them {named}"
            yield Check(name=name, passed=False, detail=detail, remedy=remedy)
        elif wanted:
            yield Check(name=name, passed=True, detail=f"{len(wanted):,} items with pixels")


def index_checks(storage: Storage, requires: Requirements, *, probes: bool = False) -> Iterator[Check]:
    """Whether the index in use is whole, of today's corpora, of the embedder that is wanted, and answers as it did.

    The last only with ``probes``, which opens the store and loads the embedder.
    """
    pointer = current_index(storage)
    remedy = f"{BUILD} {storage.root}"
    if pointer is None:
        yield Check(name="index", passed=False, detail=f"none at {storage.root}", remedy=remedy)
        return
    manifest.read(storage, f"index/{pointer.version}")
    yield _of_todays_corpora(storage, pointer, remedy)
    yield from _of_the_right_embedder(storage, pointer, requires, probes=probes)


def _of_todays_corpora(storage: Storage, pointer: IndexPointer, remedy: str) -> Check:
    made_of = corpora(storage, pointer.version)
    now = {
        name: manifest.digest(manifest.read(storage, f"corpus/{name}")) for name in built_datasets(storage)
    }
    changed = sorted(name for name in now if name in made_of and made_of[name] != now[name])
    absent = sorted(now.keys() - pointer.datasets.keys())
    if changed or absent:
        detail = "; ".join(
            f"{what}: {', '.join(names)}"
            for what, names in (("built anew since", changed), ("not in it", absent))
            if names
        )
        return Check(name="index", passed=False, detail=f"version {pointer.version}, {detail}", remedy=remedy)
    return Check(
        name="index",
        passed=True,
        detail=f"version {pointer.version}, {sum(pointer.datasets.values()):,} items",
    )


def _of_the_right_embedder(
    storage: Storage, pointer: IndexPointer, requires: Requirements, *, probes: bool
) -> Iterator[Check]:
    settings = remembered_settings(storage)
    kind = str(settings.embedder.kind)
    if requires.embedder is not None and requires.embedder != kind:
        detail = f"built with {kind}, the recipe wants {requires.embedder}"
        remedy = f"vimrag index build --embedder FOLDER_OR_URL --root {storage.root}"
        yield Check(name="index: embedder", passed=False, detail=detail, remedy=remedy)
        return
    if requires.sees and IMAGE_SPACE not in pointer.embedders:
        detail = "it has no vectors of pictures, and the recipe wants pages found by their looks"
        remedy = f"vimrag index build --vision FOLDER_OR_URL --root {storage.root}"
        yield Check(name="index: embedder", passed=False, detail=detail, remedy=remedy)
        return
    here = embedders_of(settings).fingerprints
    if other := sorted(
        space for space, known in pointer.embedders.items() if here.get(space) not in (None, known)
    ):
        detail = f"the embedder of this machine differs from the one it was built with in {', '.join(other)}"
        yield Check(name="index: embedder", passed=False, detail=detail, remedy=f"{BUILD} {storage.root}")
        return
    yield Check(
        name="index: embedder", passed=True, detail=f"{kind}, spaces {', '.join(sorted(pointer.embedders))}"
    )
    if probes and settings.embedder.kind is EmbedderKind.MINILM and settings.vision is None:
        yield _answers_as_it_did(storage, pointer)


def _answers_as_it_did(storage: Storage, pointer: IndexPointer) -> Check:
    found = open_index(storage).fingerprint
    if found != pointer.fingerprint:
        detail = f"its probe questions find other items ({found[:12]}) than when it was built ({pointer.fingerprint[:12]})"
        return Check(name="index: answers", passed=False, detail=detail, remedy=f"{BUILD} {storage.root}")
    return Check(name="index: answers", passed=True, detail=f"fingerprint {found[:12]}")
