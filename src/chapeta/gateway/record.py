"""What is known of one call while it runs; at its end it becomes the ledger's row."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Mapping
from itertools import count
from typing import Any

from chapeta.gateway.catalog.cost import SILENT, usage_of
from chapeta.gateway.fault import Fault
from chapeta.gateway.ledger import Call
from chapeta.gateway.ledger.access import AccessKey
from chapeta.gateway.retry import MOST_ATTEMPTS
from chapeta.gateway.route import Route
from chapeta.types import Price

_process = secrets.token_hex(4)
_number = count()
BYTES_A_TOKEN = 4
QUICK_TOKENS_A_SECOND = 50
CANCELLED = 499  # nginx's status for a caller who went away


class Record:
    """One call. Whoever serves it fills in what it learns."""

    __slots__ = (
        "_started_s",
        "answer",
        "attempts",
        "begun",
        "budgeted",
        "code",
        "events",
        "first_token_ms",
        "id",
        "key",
        "most_attempts",
        "outcome",
        "paced",
        "price",
        "prompt",
        "request_id",
        "room",
        "route",
        "run",
        "sent",
        "sent_bytes",
        "started_at",
        "status",
        "streamed",
        "usage",
    )

    def __init__(self, key: AccessKey | None, run: str) -> None:
        self.started_at = time.time()
        self._started_s = time.perf_counter()
        self.id = f"{int(self.started_at * 1000):011x}{_process}{next(_number):x}"
        self.key = key
        self.run = run
        self.route: Route | None = None
        self.price: Price | None = None
        self.usage: Mapping[str, Any] | None = None
        self.first_token_ms: float | None = None
        self.status = 200
        self.outcome = "ok"
        self.code = ""
        self.streamed = False
        self.attempts = 0
        self.most_attempts = MOST_ATTEMPTS  # of one route
        self.sent = False  # to a provider, who may be at work
        self.begun = False  # and has said so
        self.budgeted = False
        self.paced = False  # a bench's, which rather waits than fails
        self.sent_bytes = 0
        self.room = 0  # most tokens of the answer, 0 if the caller does not say
        self.events = 0
        self.request_id = ""
        self.prompt: str | None = None
        self.answer: str | None = None

    @property
    def elapsed_ms(self) -> float:
        return (time.perf_counter() - self._started_s) * 1000

    def begin_again(self) -> None:
        """Counts the time from now: before, the call only waited for its turn."""
        self._started_s = time.perf_counter()

    def failed(self, fault: Fault) -> None:
        self.status, self.outcome, self.code = fault.status, "error", fault.code
        self.begun = self.begun or fault.sent
        self.request_id = fault.request_id or self.request_id

    def cancelled(self) -> None:
        self.status, self.outcome, self.code = CANCELLED, "cancelled", "caller_left"

    def guess_usd(self, price: Price) -> float:
        """About what a call has cost whose provider did not tell, or not before the caller left.

        Its bytes; and a token an event of a stream, or what a quick model writes in the time that it took. If nothing
        were charged, a budget could be passed by hanging up.
        """
        tokens_out = float(self.events)
        if not self.streamed:
            tokens_out = min(self.room or math.inf, self.elapsed_ms / 1000 * QUICK_TOKENS_A_SECOND)
        return (price.input * self.sent_bytes / BYTES_A_TOKEN + price.output * tokens_out) / 1e6 + price.usd_per_call

    def call(self) -> tuple[Call, float | None]:
        """The row, and what the call cost in USD (None: nobody knows)."""
        route = self.route
        used = SILENT if self.usage is None else usage_of(self.usage, self.price)
        usd = used.usd
        if (route is not None and route.upstream is None) or (self.outcome == "error" and not self.begun):
            usd = 0.0  # our own engine; or refused before the provider began: nothing is billed
        return Call._make((
            self.id, self.started_at, route.provider if route else "", route.id if route else "",
            route.deployment if route else "", self.key.name if self.key else "", self.run,
            used.tokens_in, used.tokens_out, used.tokens_cached, used.tokens_reasoning, usd, self.elapsed_ms,
            self.first_token_ms, self.status, self.outcome, self.code, self.streamed, self.attempts, self.request_id,
            self.prompt, self.answer,
        )), usd  # fmt: skip
