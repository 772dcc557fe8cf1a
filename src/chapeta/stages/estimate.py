"""What a bench at providers will cost, before a single call is paid for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from chapeta.bench.answers import AnswerStore, key_of
from chapeta.engine.weights import is_local
from chapeta.gateway.door import Gateway
from chapeta.types import Candidate, Example

SAMPLE_ROWS = 32


@dataclass(frozen=True, slots=True)
class Estimate:
    """Calls to providers that are still to be made. usd: about what they cost; unpriced: models whose price nobody knows."""

    calls: int
    usd: float
    unpriced: tuple[str, ...]

    def __str__(self) -> str:
        sum_of = f"about ${self.usd:.2f}" if self.usd >= 0.01 or not self.usd else "less than $0.01"
        about = f"{self.calls:,} calls to providers, {sum_of}"
        return f"{about}, and the price of {', '.join(self.unpriced)} is unknown" if self.unpriced else about


Approve = Callable[[Estimate], None]


def estimate(
    candidates: Sequence[Candidate], rows: Sequence[Example], gateway: Gateway, store: AnswerStore
) -> Estimate:
    """Counts the calls that no earlier run has made, and prices them by the tokens of a sample of the rows.

    Answers are taken to be as long as the expected ones; hidden reasoning comes on top.
    """
    calls, usd = 0, 0.0
    unpriced: list[str] = []
    sample = rows[:: max(1, len(rows) // SAMPLE_ROWS)][:SAMPLE_ROWS]
    for candidate in candidates:
        if is_local(candidate.model) or not rows:
            continue
        requests = [candidate.render(row.messages) for row in rows]
        keys = [key_of(request, gateway.identity(request)) for request in requests]
        missing = len(set(keys) - set(store.find(keys)))
        calls += missing
        price = gateway.price_of(candidate.model)
        if price is None and missing:
            unpriced.append(candidate.model)
        elif price is not None:
            shown = [candidate.render(row.messages).messages for row in sample]
            tokens_in = fmean(sum(gateway.count_tokens(candidate.model, m.content) for m in turns) for turns in shown)
            tokens_out = fmean(gateway.count_tokens(candidate.model, row.answer) for row in sample)
            usd += missing * ((price.input * tokens_in + price.output * tokens_out) / 1e6 + price.usd_per_call)
    return Estimate(calls, usd, tuple(dict.fromkeys(unpriced)))


def approve_all(_: Estimate) -> None:
    """Goes on whatever it costs: the budget, if there is one, still holds."""
