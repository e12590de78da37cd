"""Random memory graphs for property tests, and short constructors for graphs written by hand."""

from __future__ import annotations

from hypothesis import strategies as st

from memory_graph.graph import ROOT, AnswerNode, MemoryGraph, SearchNode, VisualItem, VisualKind

GOLD_POOL = tuple(f"d:page:{number}" for number in range(6))


def page(item_id: str, priority: int = 3, *, width: int = 2048, height: int = 2048) -> VisualItem:
    """A page image, by default larger than any grant."""
    return VisualItem(item_id=item_id, kind=VisualKind.PAGE, priority=priority, width=width, height=height)


def clip(
    item_id: str, *timestamps: float, priority: int = 3, width: int = 2048, height: int = 2048
) -> VisualItem:
    """A video clip with its key frames."""
    return VisualItem(
        item_id=item_id,
        kind=VisualKind.VIDEO,
        priority=priority,
        width=width,
        height=height,
        timestamps=timestamps,
    )


def node(
    node_id: str, *parents: str, items: tuple[VisualItem, ...] = (), retrieved: tuple[str, ...] = ()
) -> SearchNode:
    """A search node under ``parents`` (the root when none is given)."""
    return SearchNode(
        id=node_id, parents=parents or (ROOT,), query=f"query {node_id}", items=items, retrieved=retrieved
    )


def graph(*nodes: SearchNode, answer: tuple[str, ...] = ()) -> MemoryGraph:
    """A graph of these nodes, answered from ``answer`` when that is not empty."""
    terminal = AnswerNode(parents=answer, text="yes") if answer else None
    return MemoryGraph(question="Who?", nodes=nodes, answer=terminal)


# From less than one token to far more than any budget, with thin pictures in both directions.
_SIZES = ((1, 1), (31, 33), (64, 64), (128, 128), (100, 37), (20, 4000), (3000, 50), (612, 792), (2048, 1536))
_FRAMES = ((), (3.5,), (0.0, 59.0), (1.0, 2.0, 30.0, 59.9))
_SHAPES = tuple(
    (kind, priority, width, height, times if kind is VisualKind.VIDEO else ())
    for kind in (VisualKind.IMAGE, VisualKind.VIDEO)
    for priority in range(1, 6)
    for width, height in _SIZES
    for times in _FRAMES[: 4 if kind is VisualKind.VIDEO else 1]
)
# parents as bits (the older nodes, oldest first), one parent to name twice, shapes of the items, returned ids as bits
_RECIPE = st.tuples(
    st.integers(1, 63), st.integers(0, 5), st.lists(st.sampled_from(_SHAPES), max_size=2), st.integers(0, 63)
)


def _search_node(node_id: str, older: tuple[str, ...], recipe: tuple, texts: tuple[str, str]) -> SearchNode:
    bits, twice, shapes, returned = recipe
    parents = _chosen(older, bits) or older[-1:]
    return SearchNode(
        id=node_id,
        parents=(*parents, parents[twice % len(parents)]),
        query=texts[0],
        summary=texts[1],
        items=tuple(
            VisualItem(
                item_id=f"i{k}", kind=kind, priority=priority, width=width, height=height, timestamps=times
            )
            for k, (kind, priority, width, height, times) in enumerate(shapes)
        ),
        retrieved=_chosen(GOLD_POOL, returned),
    )


def _chosen(ids: tuple[str, ...], bits: int) -> tuple[str, ...]:
    return tuple(each for place, each in enumerate(ids) if bits >> place & 1)


@st.composite
def graphs(
    draw: st.DrawFn,
    *,
    max_nodes: int = 5,
    texts: st.SearchStrategy[str] | None = None,
    answered: bool | None = None,
) -> MemoryGraph:
    """Any legal graph; ``texts`` fills every text field, ``answered`` fixes whether there is an answer."""
    text = st.just("") if texts is None else texts
    nodes: list[SearchNode] = []
    for number, recipe in enumerate(draw(st.lists(_RECIPE, max_size=max_nodes)), start=1):
        older = (ROOT, *(each.id for each in nodes))
        nodes.append(_search_node(f"n{number}", older, recipe, (draw(text), draw(text))))
    answer = None
    if answered or (answered is None and draw(st.booleans())):
        known = (ROOT, *(each.id for each in nodes))
        answer = AnswerNode(parents=_chosen(known, draw(st.integers(1, 63))) or known[-1:], text=draw(text))
    return MemoryGraph(question=draw(text), nodes=tuple(nodes), answer=answer)
