"""How much of a corpus there is to embed, by modality. Counts only; nothing is embedded."""

from collections import Counter
from collections.abc import Sequence

from assets.corpus.item import Modality
from assets.corpus.read import built_datasets, read_items
from assets.index.analysis import passages
from infra.storage.root import Storage


def embedding_load(storage: Storage, datasets: Sequence[str] | None = None) -> dict[str, int]:
    """Passages of text, images and clips of the finished corpora, or of those named.

    An image with text counts among both: its text is embedded as passages, its pixels as an image.

    Raises:
        ValueError: if there is no finished corpus, or a named one is not.
    """
    names = list(datasets) if datasets else list(built_datasets(storage))
    if not names:
        raise ValueError(
            f"no finished corpus at {storage.path('corpus')!r}; build one with `vimrag corpus build`"
        )
    load: Counter[str] = Counter({modality.value: 0 for modality in Modality})
    for name in names:
        for item in read_items(storage, name):
            if item.title or item.text:
                load[Modality.TEXT.value] += len(passages(item.text))
            if item.modality is not Modality.TEXT and item.media_key is not None:
                load[item.modality.value] += 1
    return dict(load)
