"""What an answer rests on: the items it cites, in the order its sentences use them, and what each sentence finds there.

Keeps what the model was shown of every item in one rollout; nothing else is ever cited.
"""

from collections.abc import Mapping, Sequence

from app.answers.catalogue import Catalogue, citation_records
from app.answers.records import CitationRecord, ClaimRecord, ItemRecord
from app.answers.support.checking import Claim, Passage, check
from memory_graph.citations import Citation, citations
from memory_graph.graph import MemoryGraph
from model.agent.events import ObservationAdded


class ShownSources:
    """The items that one rollout has shown the model."""

    def __init__(self) -> None:
        self.titles: dict[str, str] = {}
        self._passages: dict[str, Passage] = {}
        self._found_by: dict[str, tuple[str, str]] = {}  # node and modality

    def recall(
        self, items: Mapping[str, ItemRecord], found_by: Mapping[str, str], passage_chars: int
    ) -> None:
        """Take over what the conversation has shown the model before this question."""
        for item_id, item in items.items():
            self.titles[item_id] = item.title
            self._found_by[item_id] = (found_by[item_id], item.modality)
            text = item.text[:passage_chars]
            self._passages[item_id] = Passage(item_id=item_id, title=item.title, text=text)

    def add(self, observed: ObservationAdded, passage_chars: int) -> None:
        """Note what a search showed; of several views of an item the longest text."""
        for display in observed.shown:
            hit = display.hit
            text = hit.text[:passage_chars]
            self.titles[hit.item_id] = hit.title
            self._found_by.setdefault(hit.item_id, (observed.node_id, hit.modality.value))
            known = self._passages.get(hit.item_id)
            if known is None or len(known.text) < len(text):
                self._passages[hit.item_id] = Passage(item_id=hit.item_id, title=hit.title, text=text)

    def of(
        self, graph: MemoryGraph, question: str, catalogue: Catalogue
    ) -> tuple[tuple[ClaimRecord, ...], tuple[CitationRecord, ...]]:
        """The sentences of the graph's answer, and its citations; none without an answer.

        A sentence is looked for in the cited items; where none is cited, in all that were shown.
        """
        if graph.answer is None:
            return (), ()
        modalities = {item_id: modality for item_id, (_, modality) in self._found_by.items()}
        cited = [each for each in citations(graph, self.titles, modalities) if each.item_id in self._passages]
        ids = [each.item_id for each in cited] or list(self._passages)
        claims = check(graph.answer.text, [self._passages[item_id] for item_id in ids], context=question)
        used = dict.fromkeys(claim.item_id for claim in claims if claim.item_id)
        by_id = {each.item_id: each for each in cited}
        first = [by_id.get(item_id) or self._citation(item_id) for item_id in used]
        records = citation_records([*first, *(each for each in cited if each.item_id not in used)], catalogue)
        return _numbered(claims, list(used)), records

    def _citation(self, item_id: str) -> Citation:
        node_id, modality = self._found_by[item_id]
        return Citation(node_id=node_id, item_id=item_id, modality=modality, title=self.titles[item_id])


def _numbered(claims: Sequence[Claim], ids: Sequence[str]) -> tuple[ClaimRecord, ...]:
    numbers = {item_id: number for number, item_id in enumerate(ids, start=1)}
    return tuple(
        ClaimRecord(
            text=claim.text,
            start=claim.start,
            end=claim.end,
            verdict=claim.verdict.value,
            citation=numbers.get(claim.item_id),
            quote=claim.quote,
            quote_start=claim.quote_start,
            quote_end=claim.quote_end,
            missing=claim.missing,
        )
        for claim in claims
    )
