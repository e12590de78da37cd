"""What calls to an endpoint have cost so far: requests, tokens, money, time.

Holds counting only, for one event loop; nothing here limits anything.
"""

from dataclasses import dataclass, replace

PER = 1_000_000  # prices are per million tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What a million tokens cost, in any one currency."""

    prompt: float
    completion: float

    def __post_init__(self) -> None:
        if min(self.prompt, self.completion) < 0:
            raise ValueError(f"prices must not be negative: {self}")

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Of so many tokens."""
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / PER


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageTotals:
    """Totals at one moment."""

    requests: int = 0  # for replies, retries included
    retries: int = 0
    failures: int = 0  # calls that ended in an error
    replies: int = 0  # complete ones
    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: int = 0  # bookings whose tokens were estimated because the server did not count them
    cost: float | None = None  # None without prices
    waiting_s: float = 0.0  # for a free place, the pace and between attempts, summed over calls
    generation_s: float = 0.0  # from sending to the last byte, summed over attempts


class UsageLedger:
    """Adds up; use it from one event loop."""

    def __init__(self, prices: Prices | None = None) -> None:
        self._prices = prices
        self._spent = UsageTotals(cost=None if prices is None else 0.0)

    def snapshot(self) -> UsageTotals:
        """The totals now."""
        return self._spent

    def add(self, **amounts: float) -> None:
        """Book what happened, by the fields of ``UsageTotals``."""
        sums = {name: getattr(self._spent, name) + amount for name, amount in amounts.items()}
        self._spent = replace(self._spent, **sums)

    def add_tokens(self, prompt: int, completion: int, *, estimated: bool, complete: bool = True) -> None:
        """Book the tokens of a reply; one that broke off or was left early is not ``complete`` but was paid for."""
        self.add(replies=complete, prompt_tokens=prompt, completion_tokens=completion, estimated=estimated)
        if self._prices is not None:
            self.add(cost=self._prices.cost(prompt, completion))
