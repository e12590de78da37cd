"""The gate after a cold start: reinforcement does not begin with a policy that the environment keeps refusing.

That a whole run ends by it, and cannot be made to go on, is held in ``tests/orchestration/test_training_run.py`` for the
demonstrations and in ``test_sft_stages.py`` for the stages after them.
"""

import pytest

from orchestration.imitation.refusals import refuse_refusals
from orchestration.recipes.cold_start import ColdStart
from orchestration.recipes.miniature import searching


def test_more_refusals_than_allowed_end_the_run_with_both_shares_and_what_helps():
    with pytest.raises(ValueError, match=r"3\.1% of the replies .* at most 2\.0% may be: .*more repairs"):
        refuse_refusals(0.031, options=searching().cold_start)


@pytest.mark.parametrize(("refused", "most"), [(0.02, 0.02), (0.0, 0.0), (1.0, None)])
def test_as_many_as_allowed_pass_and_without_a_gate_everything_does(refused: float, most: float | None):
    refuse_refusals(refused, options=ColdStart(most_refused=most))


@pytest.mark.parametrize("most", [-0.01, 1.0, float("nan")])
def test_a_gate_that_is_no_share_is_refused(most: float):
    with pytest.raises(ValueError, match="cold start out of range"):
        ColdStart(most_refused=most)
