"""Deterministic grading: each dataset's published metric as a pure function of answer and references.

No judge model, no network. ``grade`` takes a question of the corpus, ``grade_answer`` the same facts spelled
out, for callers that know tasks only.
"""

from assets.grading.abstention import NOT_ANSWERABLE, abstains
from assets.grading.rules import grade, grade_answer
from assets.grading.score import Score

__all__ = ["NOT_ANSWERABLE", "Score", "abstains", "grade", "grade_answer"]
