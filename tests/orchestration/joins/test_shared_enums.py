"""``assets`` and ``memory_graph`` never import each other; the words that both store are the same."""

from assets.corpus.item import Modality as StoredModality
from memory_graph.graph import Modality


def test_a_modality_is_the_same_word_in_corpus_and_graph():
    assert [modality.value for modality in StoredModality] == [modality.value for modality in Modality]
