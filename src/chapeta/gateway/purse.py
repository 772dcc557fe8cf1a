"""What one run may cost: `--budget-usd`. The cap is passed by the calls then in flight at most."""

from __future__ import annotations

from chapeta.gateway.fault import Fault


class Purse:
    """Counts what the calls of one process cost, up to a cap."""

    def __init__(self, cap_usd: float) -> None:
        self.cap_usd = cap_usd
        self.spent_usd = 0.0

    def check(self) -> None:
        """Raises Fault 402 once the cap is reached."""
        if self.spent_usd > 0 and self.spent_usd >= self.cap_usd:
            figure = f"${self.spent_usd:.4f} of ${self.cap_usd:.4f} are spent."
            raise Fault(402, figure, "Raise --budget-usd to go on.", "budget_spent")

    def charge(self, usd: float) -> None:
        self.spent_usd += usd
