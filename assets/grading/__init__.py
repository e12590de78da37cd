"""Deterministic grading: each dataset's published metric as a pure function of answer and references.

No judge model, no network. ``grade`` takes a question of the corpus, ``grade_answer`` the same facts spelled
out, for callers that know tasks only.
"""

from assets.grading.normalise import NOT_ANSWERABLE, abstains
from assets.grading.rules import Score, grade, grade_answer

__all__ = ["NOT_ANSWERABLE", "Score", "abstains", "grade", "grade_answer"]
