"""``infra``, ``assets`` and ``memory_graph`` never import each other; the words that they store are the same."""

from assets.corpus.item import Modality as StoredModality
from infra.embedders.types import Modality as EmbeddedModality
from memory_graph.graph import Modality


def test_a_modality_is_the_same_word_in_corpus_graph_and_embedder():
    words = [modality.value for modality in Modality]
    assert [modality.value for modality in StoredModality] == words
    assert [modality.value for modality in EmbeddedModality] == words
