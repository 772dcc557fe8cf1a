"""Which failed calls are sent again, and when: only where the provider has not begun to work on them."""

from __future__ import annotations

import random

from chapeta.gateway.fault import Fault

MOST_ATTEMPTS = 3
MOST_REFUSALS = 30  # of a paced call, by a rate limit that says how long to wait
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 8.0
LONGEST_RETRY_AFTER_S = 30.0  # a provider that asks for more is reported to the caller, with its figure

# the provider said no before doing anything: too many requests, overloaded, not reachable for the moment
REFUSED = frozenset((408, 429, 502, 503, 529))


def is_safe(fault: Fault) -> bool:
    """Whether sending the call again cannot make it count twice.

    A call that broke off, or was silent until the limit, may have been answered and billed: it is not repeated.
    """
    return fault.status in REFUSED and not fault.sent and (fault.retry_after_s or 0.0) <= LONGEST_RETRY_AFTER_S


def is_patient(fault: Fault, refusals: int) -> bool:
    """Whether a paced call, refused so often, waits for its rate limit instead of using up its attempts."""
    return fault.status == 429 and fault.retry_after_s is not None and is_safe(fault) and refusals <= MOST_REFUSALS


def wait_s(fault: Fault, attempt: int) -> float:
    """Seconds before the next attempt: what the provider asks for, else doubling, spread so that callers do not meet again.

    attempt: how many have failed, from 1.
    """
    if fault.retry_after_s is not None:
        return fault.retry_after_s * (1 + 0.1 * random.random())
    return min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** (attempt - 1)) * (0.5 + 0.5 * random.random())
