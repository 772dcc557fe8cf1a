"""Budgets of access keys: how far each is spent, and another sum for one that is in use."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chapeta.errors import BadInput, Missing
from chapeta.gateway.ledger.access import AccessKey, listed
from chapeta.gateway.ledger.limits import Budget, money, period_end

if TYPE_CHECKING:
    from chapeta.storage.database import Database


@dataclass(frozen=True, slots=True)
class BudgetUse:
    """A key's budget. share: of it that is spent, above 1 where it was passed; begins_anew_s: infinite for all time."""

    key: str
    budget: Budget
    spent_usd: float
    begins_anew_s: float

    @property
    def share(self) -> float:
        return self.spent_usd / self.budget.usd

    @property
    def left_usd(self) -> float:
        return max(0.0, self.budget.usd - self.spent_usd)


def budgets(database: Database, now_s: float | None = None) -> list[BudgetUse]:
    """The budgets there are, the one that is spent furthest first."""
    found = [_use(key, key.budget) for key in listed(database, now_s) if key.budget is not None]
    return sorted(found, key=lambda use: (-use.share, use.key))


def change_budget(database: Database, name: str, usd: float) -> Budget:
    """Gives a key's budget another sum for the same period; running servers keep to it within about a second.

    What was spent stays spent. The period of a key does not change: what counts towards another was not counted.
    """
    from sqlalchemy import select, update

    from chapeta.storage.tables import access_keys

    if not (math.isfinite(usd) and usd > 0):
        raise BadInput(f"{usd} is not a budget.", "Give USD above 0; to stop the key for good, revoke it.")
    with database.write() as connection:
        row = connection.execute(select(access_keys.c.budget_period).where(access_keys.c.name == name)).first()
        if row is None:
            raise Missing(f"There is no access key '{name}'.", "It was revoked, perhaps in another window.")
        if row.budget_period is None:
            raise BadInput(f"The access key '{name}' has no budget.", "Issue a new one that has.")
        connection.execute(update(access_keys).where(access_keys.c.name == name).values(budget_usd=usd))
    return Budget(usd, row.budget_period)


def told(use: BudgetUse) -> str:
    """A budget in words: $1.20 of $5.00 a day."""
    return f"{money(use.spent_usd)} of {use.budget}"


def _use(key: AccessKey, budget: Budget) -> BudgetUse:
    return BudgetUse(key.name, budget, key.spent_usd, period_end(budget.period, key.period_start))
