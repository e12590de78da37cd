"""What it means to say that a question has no answer in the corpus.

Holds the canonical wording and its recognition; which questions are unanswerable is said by the datasets.
"""

import re

NOT_ANSWERABLE = "Not answerable"
# Whole-answer wordings only: "the answer is not known to the police" is an answer.
_ABSTENTIONS = frozenset(
    {
        "not answerable",
        "unanswerable",
        "no answer",
        "cannot be answered",
        "it cannot be answered",
        "the question cannot be answered",
        "this question cannot be answered",
        "the question is not answerable",
        "this question is not answerable",
        "the question is unanswerable",
        "this question is unanswerable",
        "insufficient information",
    }
)


def abstains(answer: str) -> bool:
    """Whether ``answer`` says, as a whole, that there is no answer. Saying nothing is not saying that."""
    expanded = answer.lower().replace("can't", "cannot").replace("can not", "cannot")
    return " ".join(re.findall(r"[a-z0-9]+", expanded)) in _ABSTENTIONS
