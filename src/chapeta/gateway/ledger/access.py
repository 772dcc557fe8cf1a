"""Access keys: what Chapeta issues to its own callers, and the gate that holds each call to its key's limits.

A key is shown once; the database has its SHA-256. The gate works from memory. The ledger's thread writes what was charged
and brings back, about once a second, the keys and what they have spent in all processes together.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import logging
import math
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chapeta.errors import BadInput
from chapeta.gateway.fault import Fault
from chapeta.gateway.ledger.limits import Budget, Rate, moment, money, period_end, period_start

if TYPE_CHECKING:
    from chapeta.storage.database import Database

TOKEN_PREFIX = "chapeta-"
TOKEN_BYTES = 32
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
SOFT_SHARE = 0.8
REMEDY = "`chapeta keys issue NAME` makes a new one."

LOG = logging.getLogger("chapeta")

Charges = dict[tuple[str, float], float]


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A key as the database has it.

    models: patterns such as `openrouter/*`; none: all. expires_at: seconds since 1970 UTC, as `created_at`.
    spent_usd: in the period that began at `period_start`, when the key was read.
    """

    id: str
    name: str
    sha256: str = field(repr=False)
    last4: str
    budget: Budget | None
    models: tuple[str, ...]
    rate: Rate | None
    created_at: float
    expires_at: float | None
    spent_usd: float
    period_start: float
    pattern: re.Pattern[str] | None = field(repr=False, compare=False)


def issue(
    database: Database,
    name: str,
    *,
    budget: Budget | None = None,
    models: tuple[str, ...] = (),
    rate: Rate | None = None,
    expires_at: float | None = None,
) -> str:
    """Makes a key and returns it: the only time that it can be seen. Raises BadInput for a name that is taken."""
    from sqlalchemy.exc import IntegrityError

    from chapeta.storage.tables import access_keys

    if not NAME.fullmatch(name):
        raise BadInput(f"'{name}' cannot name a key.", "Use up to 64 letters, digits and . _ - @.")
    if expires_at is not None and not time.time() < expires_at < math.inf:
        raise BadInput(f"The key '{name}' would have expired already.", "Give a moment in the future.")
    token = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    row = {
        "id": secrets.token_hex(8),
        "name": name,
        "sha256": _sha256(token),
        "last4": token[-4:],
        "budget_usd": budget.usd if budget else None,
        "budget_period": budget.period if budget else None,
        "models": json.dumps(models),
        "rate_calls": rate.calls if rate else None,
        "rate_period_s": rate.period_s if rate else None,
        "created_at": time.time(),
        "expires_at": expires_at,
    }
    try:
        with database.write() as connection:
            connection.execute(access_keys.insert().values(row))
    except IntegrityError:
        remedy = f"Choose another name, or `chapeta keys revoke {name}` first."
        raise BadInput(f"There is a key '{name}' already.", remedy) from None
    return token


def listed(database: Database, now_s: float | None = None) -> list[AccessKey]:
    """All keys by name, with what they have spent in their present period."""
    from sqlalchemy import and_, case, func, select

    from chapeta.storage.tables import access_keys, spend

    now_s = time.time() if now_s is None else now_s
    starts = {period: period_start(period, now_s) for period in ("day", "week", "month")}
    present = case(starts, value=access_keys.c.budget_period, else_=0.0)
    same = and_(spend.c.key_id == access_keys.c.id, spend.c.period_start == present)
    query = (
        select(access_keys, func.coalesce(spend.c.usd, 0.0).label("spent_usd"), present.label("period_start"))
        .select_from(access_keys.outerjoin(spend, same))
        .order_by(access_keys.c.name)
    )
    with database.read() as connection:
        return [_key(row) for row in connection.execute(query).mappings()]


def revoke(database: Database, name: str) -> bool:
    """Ends a key; running servers learn it within about a second. False if there is none of this name."""
    from sqlalchemy import delete, select

    from chapeta.storage.tables import access_keys, spend

    with database.write() as connection:
        found = select(access_keys.c.id).where(access_keys.c.name == name).scalar_subquery()
        connection.execute(delete(spend).where(spend.c.key_id == found))
        return bool(connection.execute(delete(access_keys).where(access_keys.c.name == name)).rowcount)


class Gate:
    """Lets calls through, or raises the Fault that says why not. Safe from several threads; never waits for the database.

    required: whether a caller has to give a key. Times are `time.time()`, as periods and expiry are of the calendar.
    A rate holds within this process; a budget over all processes, passed at most by the calls then in flight and by what
    the others have spent in the last second.
    """

    def __init__(self, required: bool = False, warn: Callable[[str], None] = LOG.warning) -> None:
        self.required = required
        self._warn = warn
        self._lock = threading.Lock()
        self._keys: Mapping[str, AccessKey] = {}
        self._admitted: dict[str, AccessKey] = {}  # by the token itself, until the next renewal: no hash for each call
        self._meters: dict[str, _Meter] = {}
        self._charges: Charges = {}

    @property
    def has_keys(self) -> bool:
        return bool(self._keys)

    def admit(self, token: str | None, now_s: float) -> AccessKey | None:
        """The key behind a token; None where none is given and none is needed. Raises Fault 401."""
        if token is None:
            if not self.required:
                return None
            raise Fault(401, "No access key was given.", f"Send it as a bearer token. {REMEDY}", "missing_api_key")
        admitted = self._admitted
        key = admitted.get(token)
        if key is None:
            key = self._keys.get(_sha256(token))
            if key is None:
                raise _unknown(token)
            admitted[token] = key
        if key.expires_at is not None and now_s >= key.expires_at:
            raise _expired(key)
        return key

    def check(self, key: AccessKey, model: str, now_s: float) -> None:
        """Whether the key may call this model now. Raises Fault: 401 revoked or expired, 402 budget, 403 model, 429 rate."""
        meter = self._meters.get(key.id)
        if meter is None:
            raise Fault(401, f"The access key '{key.name}' was revoked.", REMEDY, "invalid_api_key")
        if key.expires_at is not None and now_s >= key.expires_at:
            raise _expired(key)
        if key.pattern is not None and key.pattern.match(model) is None:
            raise _not_its_model(key, model)
        if key.budget is not None:
            if now_s >= meter.period_end:
                with self._lock:
                    meter.begin(key.budget, now_s)
            if meter.spent_usd >= key.budget.usd:
                raise _spent(key.budget, meter)
        if key.rate is not None:
            with self._lock:
                wait_s = meter.take_turn(key.rate, now_s)
            if wait_s > 0:
                raise _too_fast(key, key.rate, wait_s)

    def charge(self, key: AccessKey, usd: float) -> None:
        """Adds what a call has cost to its key's budget, if it has one. Warns once a period at 80 % of it."""
        if key.budget is None or not 0 < usd < math.inf:
            return
        with self._lock:
            meter = self._meters.get(key.id)
            if meter is None:
                return
            meter.spent_usd += usd
            place = (key.id, meter.period_start)
            self._charges[place] = self._charges.get(place, 0.0) + usd
            soft = not meter.warned and meter.spent_usd >= SOFT_SHARE * key.budget.usd
            meter.warned = meter.warned or soft
            spent_usd = meter.spent_usd
        if soft:
            share = f"{spent_usd / key.budget.usd:.0%}"
            self._warn(f"The access key '{key.name}' has spent {share} of its budget of {key.budget}.")

    def take_charges(self) -> Charges:
        """What was charged since the last time, for the ledger to write: key id and start of the period → USD."""
        with self._lock:
            taken, self._charges = self._charges, {}
        return taken

    def give_back(self, charges: Charges) -> None:
        """Charges that could not be written."""
        with self._lock:
            for place, usd in charges.items():
                self._charges[place] = self._charges.get(place, 0.0) + usd

    def renew(self, keys: Sequence[AccessKey]) -> None:
        """Takes over the keys as the database has them now, after all taken charges were written."""
        with self._lock:
            meters = {key.id: self._meters.get(key.id) or _Meter() for key in keys}
            for key in keys:
                meter = meters[key.id]
                if key.budget is not None and key.period_start >= meter.period_start:
                    if key.period_start > meter.period_start:
                        meter.warned = False
                    meter.period_start = key.period_start
                    meter.period_end = period_end(key.budget.period, key.period_start)
                    meter.spent_usd = key.spent_usd + self._charges.get((key.id, key.period_start), 0.0)
            self._meters = meters
            self._keys = {key.sha256: key for key in keys}
            self._admitted = {}


class _Meter:
    """What one key has used: USD in its present period, and its rate's clock."""

    __slots__ = ("due_s", "period_end", "period_start", "spent_usd", "warned")

    def __init__(self) -> None:
        self.due_s = 0.0
        self.period_start = 0.0
        self.period_end = 0.0
        self.spent_usd = 0.0
        self.warned = False

    def begin(self, budget: Budget, now_s: float) -> None:
        """A new period, unless another thread has begun it."""
        if now_s < self.period_end:
            return
        self.period_start = period_start(budget.period, now_s)
        self.spent_usd = 0.0
        self.warned = False
        self.period_end = period_end(budget.period, now_s)  # last: who reads without the lock sees it with a sum of 0

    def take_turn(self, rate: Rate, now_s: float) -> float:
        """Seconds to wait; 0 if the call may go, which is then counted.

        The generic cell rate algorithm (ITU-T I.371): `due_s` is when the next call would come if all came evenly, and it
        may come earlier by as long as all but one of a period's calls take.
        """
        each_s = rate.period_s / rate.calls
        due_s = max(self.due_s, now_s)
        wait_s = due_s - now_s - (rate.period_s - each_s)
        if wait_s > 1e-6:  # times since 1970 are exact to 2e-7 s
            return wait_s
        self.due_s = due_s + each_s
        return 0.0


def _key(row: Any) -> AccessKey:
    models = tuple(json.loads(row["models"]))
    return AccessKey(
        id=row["id"],
        name=row["name"],
        sha256=row["sha256"],
        last4=row["last4"],
        budget=Budget(row["budget_usd"], row["budget_period"]) if row["budget_usd"] is not None else None,
        models=models,
        rate=Rate(row["rate_calls"], row["rate_period_s"]) if row["rate_calls"] is not None else None,
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        spent_usd=row["spent_usd"],
        period_start=row["period_start"],
        pattern=re.compile("|".join(fnmatch.translate(model) for model in models)) if models else None,
    )


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _unknown(token: str) -> Fault:
    shown = f" ending in …{token[-4:]}" if len(token) >= 24 else ""
    return Fault(401, f"The access key{shown} is not known here.", f"Check it. {REMEDY}", "invalid_api_key")


def _expired(key: AccessKey) -> Fault:
    since = f" at {moment(key.expires_at)}" if key.expires_at is not None else ""
    return Fault(401, f"The access key '{key.name}' expired{since}.", REMEDY, "expired_api_key")


def _not_its_model(key: AccessKey, model: str) -> Fault:
    told = f"The access key '{key.name}' may not use '{model[:200]}'."
    return Fault(403, told, f"It may use: {', '.join(key.models)}.", "model_not_allowed", param="model")


def _spent(budget: Budget, meter: _Meter) -> Fault:
    again = "" if math.isinf(meter.period_end) else f"; it begins anew at {moment(meter.period_end)}"
    told = f"{money(meter.spent_usd)} of {budget} are spent{again}."
    return Fault(402, told, "Ask whoever issued the access key for more.", "budget_spent")


def _too_fast(key: AccessKey, rate: Rate, wait_s: float) -> Fault:
    told = f"The access key '{key.name}' is limited to {rate} calls."
    return Fault(429, told, f"Wait {wait_s:.2f} s.", "rate_limit_exceeded", retry_after_s=wait_s)
