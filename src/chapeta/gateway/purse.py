"""What one run may cost: `--budget-usd`, over all its restarts. The cap is passed by the calls then in flight at most."""

from __future__ import annotations

from chapeta.gateway.fault import Fault


class Purse:
    """Counts what calls cost, up to a cap; `spent_usd` is what was spent before."""

    def __init__(self, cap_usd: float, spent_usd: float = 0.0) -> None:
        self.cap_usd = cap_usd
        self.spent_usd = spent_usd

    def check(self) -> None:
        """Raises Fault 402 once the cap is reached."""
        if self.spent_usd > 0 and self.spent_usd >= self.cap_usd:
            figure = f"${self.spent_usd:.4f} of ${self.cap_usd:.4f} are spent."
            raise Fault(402, figure, "Raise --budget-usd to go on.", "budget_spent")

    def charge(self, usd: float) -> None:
        self.spent_usd += usd
