"""The paper's figures (arXiv 2602.12735, table 1 and text), to stand beside ours, and what differs between the two.

Qwen3-VL-8B-Instruct, a unified corpus of about 200,000 items, GVE-7B as retriever, judge accuracy in per cent.
"""

from collections.abc import Mapping

PAPER = "Qwen3-VL-8B-Instruct, about 200,000 items, GVE-7B retriever, a judge model"
DATASETS = (
    *("hotpotqa", "squad", "webqa", "slidevqa", "mmlongbench_doc"),
    *("lvbench", "wikihowqa", "syntheticqa", "xvbench"),
)
TABLE_1: Mapping[str, tuple[float, ...]] = {
    "vanilla": (64.0, 64.2, 48.1, 48.5, 16.2, 14.8, 15.7, 37.0, 29.7),
    "react": (70.8, 65.5, 40.0, 50.0, 15.4, 15.9, 23.0, 35.0, 24.0),
    "videorag": (62.0, 62.2, 42.1, 35.5, 18.2, 23.8, 25.7, 49.5, 30.7),
    "memagent": (71.1, 74.8, 47.1, 45.3, 14.7, 22.2, 23.1, 37.5, 26.9),
    "mem1": (73.0, 68.4, 44.5, 55.7, 32.6, 22.4, 19.9, 43.4, 32.2),
    "vimrag": (79.1, 76.4, 53.9, 62.4, 33.4, 24.5, 29.7, 54.5, 37.1),
}
TABLE_3: Mapping[str, float] = {"mem1": 43.6, "vimrag_text": 47.1, "vimrag_equal": 48.9, "vimrag": 50.1}
"""Overall accuracy of the ablations: iterative text memory, + graph, + multimodal memory, + energy."""


def paper_figure(memory: str, dataset: str) -> float | None:
    """The share of right answers that the paper reports; None where it reports none."""
    if memory not in TABLE_1 or dataset not in DATASETS:
        return None
    return TABLE_1[memory][DATASETS.index(dataset)] / 100


def differences(*, model: str, judge: str, items: int | None, notes: tuple[str, ...]) -> str:
    """What keeps a row of ours from being one of the paper's, in words."""
    corpus = "" if items is None else f"a corpus of {items:,} items"
    return "; ".join(part for part in (f"model {model}", corpus, f"graded by {judge}", *notes) if part)
