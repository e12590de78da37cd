"""The gate after a stage of a cold start: reinforcement does not begin with a policy that the environment keeps refusing."""

from orchestration.recipes.cold_start import ColdStart

REFUSED = "refused"
"""Of a checkpoint's parameters: the share of the validation's replies that was refused; the gate holds when a run goes on."""


def refuse_refusals(refused: float, *, options: ColdStart, after: str = "the cold start") -> None:
    """The gate behind ``after``.

    Raises:
        ValueError: if more replies are refused than the recipe allows; the checkpoint stays.
    """
    if options.most_refused is not None and refused > options.most_refused:
        raise ValueError(
            f"{refused:.1%} of the replies after {after} are refused, at most {options.most_refused:.1%} may be: "
            "reinforcement would learn from errors. Give it more steps, or more repairs among its demonstrations"
        )
