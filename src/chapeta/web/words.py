"""Numbers as people read them on the pages."""

from __future__ import annotations

from datetime import datetime

from chapeta.types import Price


def usd(amount: float | None) -> str:
    """An amount of dollars; what nobody knows is not called nothing."""
    if amount is None:
        return "cost unknown"
    if amount == 0:
        return "free"
    if amount < 0.00001:
        return "less than $0.00001"
    if amount < 0.01:
        return f"${amount:.5f}".rstrip("0")
    return f"${amount:,.2f}" if amount >= 1 else f"${amount:.3f}"


def tokens(count: int | None) -> str:
    """A number of tokens, rounded: 950, 12.3k, 1.05M."""
    if count is None:
        return "?"
    if count < 1000:
        return str(count)
    if count < 1_000_000:
        return f"{count / 1000:.3g}k" if count < 99_950 else f"{count / 1000:.0f}k"
    return f"{count / 1_000_000:.3g}M"


def price(of: Price | None) -> str:
    """USD for a million tokens, in and out."""
    if of is None:
        return "price unknown"
    if not (of.input or of.output or of.usd_per_call):
        return "free"
    return f"${of.input:g} in · ${of.output:g} out"


def seconds(ms: float | None) -> str:
    if ms is None:
        return ""
    return f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.1f} s"


def when(moment: float) -> str:
    """A moment (seconds since 1970) as the day, or the time of today."""
    then = datetime.fromtimestamp(moment)
    now = datetime.now()
    if then.date() == now.date():
        return then.strftime("%H:%M")
    return then.strftime("%d %b" if then.year == now.year else "%d %b %Y")
