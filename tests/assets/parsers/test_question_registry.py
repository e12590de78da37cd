"""Each question enters once, and every edition is counted as its files have it."""

from __future__ import annotations

from assets.corpus.question import Question
from assets.parsers.question_registry import QuestionRegistry
from assets.parsers.types import SkippedRecord


def question(native: str, text: str = "Who?") -> Question:
    return Question(id=f"toy:dev:{native}", dataset="toy", split="dev", text=text, answers=("a",))


def entered(roll: QuestionRegistry, one: Question, edition: str) -> str:
    [record] = roll.enter(one, "dev.json[0]", edition)
    return record.reason if isinstance(record, SkippedRecord) else "entered"


def counts(roll: QuestionRegistry) -> dict[str, int]:
    return {tally.edition: tally.questions for tally in roll.tallies()}


def test_the_same_question_again_is_a_duplicate_and_another_one_of_its_id_a_conflict():
    roll = QuestionRegistry()
    assert entered(roll, question("1", "Who\u00e9 ?"), "dev") == "entered"
    assert entered(roll, question("1", "Whoe\u0301  ?"), "dev") == "question_duplicate"  # composed otherwise
    assert entered(roll, question("1", "When?"), "dev") == "question_id_conflict"
    # the duplicate is the same record once more, the conflict is one that the edition has and we have not
    assert counts(roll) == {"dev": 2}


def test_a_question_of_two_editions_counts_in_both():
    roll = QuestionRegistry()
    assert entered(roll, question("1"), "dev") == "entered"
    assert entered(roll, question("1"), "dev fullwiki") == "question_duplicate"
    assert counts(roll) == {"dev": 1, "dev fullwiki": 1}


def test_records_that_are_no_questions_count_for_their_edition():
    roll = QuestionRegistry()
    entered(roll, question("1"), "a.json")
    roll.unusable("a.json")
    roll.unusable("b.json")
    roll.rename("a.json", "dev")
    roll.rename("b.json", "dev")
    assert counts(roll) == {"dev": 3}
