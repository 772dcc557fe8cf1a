"""What the limits of an access key look like as they are typed: when it ends, and which models it may ask."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from chapeta.errors import BadInput
from chapeta.gateway.keys.secret import shown

SPANS_S = {"min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def expiry(text: str, now_s: float) -> float:
    """When a key ends, in seconds since 1970: after a span (`30d`, `12h`), or when a day or moment begins, in UTC.

    Raises BadInput.
    """
    match = re.fullmatch(r"\s*(\d{1,5})\s*(min|h|d|w)\s*", text.lower(), re.ASCII)
    if match:
        at_s = now_s + int(match[1]) * SPANS_S[match[2]]
    else:
        try:
            given = datetime.fromisoformat(text.strip())
            at_s = (given if given.tzinfo else given.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            raise BadInput(f"{shown(text)} is no time to expire.", "Write 30d, 12h, or a date: 2027-01-01.") from None
    if at_s <= now_s:
        raise BadInput(f"'{text}' is over already.", "Write 30d, 12h, or a date to come.")
    return at_s


def patterns(text: str) -> tuple[str, ...]:
    """The patterns of models, between commas. Raises BadInput for an empty one."""
    found = tuple(part.strip() for part in text.split(","))
    if not all(found):
        raise BadInput(f"'{text[:80]}' has an empty pattern of models.", "Write them as 'openrouter/*,support-triage'.")
    return found
