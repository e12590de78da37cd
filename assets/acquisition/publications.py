"""The nine datasets by name; each is described in ``text_publications.py`` or ``video_publications.py``."""

from assets.acquisition.catalogue import PublishedDataset
from assets.acquisition.text_publications import HOTPOTQA, MMLONGBENCH_DOC, SLIDEVQA, SQUAD, WEBQA
from assets.acquisition.video_publications import LVBENCH, SYNTHETICQA, WIKIHOWQA, XVBENCH

PUBLICATIONS: dict[str, PublishedDataset] = {
    publication.dataset: publication
    for publication in (
        HOTPOTQA,
        SQUAD,
        WEBQA,
        SLIDEVQA,
        MMLONGBENCH_DOC,
        LVBENCH,
        WIKIHOWQA,
        SYNTHETICQA,
        XVBENCH,
    )
}
