"""Budgets and rates as they are typed, and the periods of the calendar."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chapeta.errors import BadInput
from chapeta.gateway.ledger.limits import (
    Budget,
    Period,
    Rate,
    money,
    parse_budget,
    parse_rate,
    period_end,
    period_start,
)


@pytest.mark.parametrize(
    ("text", "budget", "shown"),
    [
        ("5/day", Budget(5, "day"), "$5.00 a day"),
        ("20", Budget(20, "total"), "$20.00 in all"),
        (" $0.5 / Week ", Budget(0.5, "week"), "$0.50 a week"),
        (".25/month", Budget(0.25, "month"), "$0.25 a month"),
        ("1000/total", Budget(1000, "total"), "$1,000.00 in all"),
    ],
)
def test_budgets(text: str, budget: Budget, shown: str) -> None:
    assert parse_budget(text) == budget
    assert str(budget) == shown


@pytest.mark.parametrize(
    "text", ["", "0", "-5", "5/", "/day", "5/year", "5 days", "nan", "inf", "9" * 400, "5/day/day", "٥"]
)
def test_what_is_no_budget(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse_budget(text)
    assert str(refused.value).startswith(f"'{text}' is not a budget.")


@pytest.mark.parametrize(
    ("text", "rate", "shown"),
    [
        ("60/min", Rate(60, 60), "60/min"),
        ("5/s", Rate(5, 1), "5/s"),
        ("1000/hour", Rate(1000, 3600), "1000/hour"),
        ("7 / Day", Rate(7, 86400), "7/day"),
    ],
)
def test_rates(text: str, rate: Rate, shown: str) -> None:
    assert parse_rate(text) == rate
    assert str(rate) == shown


@pytest.mark.parametrize("text", ["", "60", "0/min", "-1/s", "1.5/s", "5/year", "60/", "min", "99999999999/s"])
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse_rate(text)
    assert str(refused.value).startswith(f"'{text}' is not a rate.")


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("period", "start", "end"),
    [
        ("day", "2026-11-22", "2026-11-23"),
        ("week", "2026-11-16", "2026-11-23"),
        ("month", "2026-11-01", "2026-12-01"),
    ],
)
def test_periods_of_a_sunday(period: Period, start: str, end: str) -> None:
    now_s = at("2026-11-22 23:59:59.5")
    assert (period_start(period, now_s), period_end(period, now_s)) == (at(start), at(end))
    assert period_start(period, at(end)) == at(end)


def test_all_time_never_ends() -> None:
    assert (period_start("total", 1.8e9), period_end("total", 1.8e9)) == (0.0, math.inf)


@given(st.sampled_from(["day", "week", "month"]), st.floats(0, 4e9))
def test_a_moment_is_in_its_period_and_periods_touch(period: Period, now_s: float) -> None:
    start, end = period_start(period, now_s), period_end(period, now_s)
    assert start <= now_s < end
    assert period_start(period, end) == end
    assert period_end(period, start) == end


@pytest.mark.parametrize(
    ("usd", "shown"), [(0, "$0.00"), (5.019, "$5.02"), (1234.5, "$1,234.50"), (0.00123, "$0.0012"), (0.01, "$0.01")]
)
def test_money(usd: float, shown: str) -> None:
    assert money(usd) == shown
