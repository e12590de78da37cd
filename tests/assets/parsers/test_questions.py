"""Each question enters once, and every edition is counted as its files have it."""

from __future__ import annotations

from assets.corpus.question import Question
from assets.parsers.questions import QuestionRegistry
from assets.parsers.types import SkippedRecord


def question(native: str, text: str = "Who?") -> Question:
    return Question(id=f"toy:dev:{native}", dataset="toy", split="dev", text=text, answers=("a",))


def entered(registry: QuestionRegistry, question: Question, edition: str) -> str:
    [record] = registry.enter(question, "dev.json[0]", edition)
    return record.reason if isinstance(record, SkippedRecord) else "entered"


def counts(registry: QuestionRegistry) -> dict[str, int]:
    return {edition.edition: edition.questions for edition in registry.counts()}


def test_the_same_question_again_is_a_duplicate_and_another_one_of_its_id_a_conflict():
    registry = QuestionRegistry()
    assert entered(registry, question("1", "Who\u00e9 ?"), "dev") == "entered"
    assert (
        entered(registry, question("1", "Whoe\u0301  ?"), "dev") == "question_duplicate"
    )  # composed otherwise
    assert entered(registry, question("1", "When?"), "dev") == "question_id_conflict"
    # the duplicate is the same record once more, the conflict is one that the edition has and we have not
    assert counts(registry) == {"dev": 2}


def test_a_question_of_two_editions_counts_in_both():
    registry = QuestionRegistry()
    assert entered(registry, question("1"), "dev") == "entered"
    assert entered(registry, question("1"), "dev fullwiki") == "question_duplicate"
    assert counts(registry) == {"dev": 1, "dev fullwiki": 1}


def test_records_that_are_no_questions_count_for_their_edition():
    registry = QuestionRegistry()
    entered(registry, question("1"), "a.json")
    registry.unusable("a.json")
    registry.unusable("b.json")
    registry.rename("a.json", "dev")
    registry.rename("b.json", "dev")
    assert counts(registry) == {"dev": 3}
