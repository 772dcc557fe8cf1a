"""Usage day by day and by chat, and how far budgets are: the same on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from chapeta.errors import BadInput, Missing
from chapeta.gateway.ledger import Batch, Call, store
from chapeta.gateway.ledger.access import issue, listed
from chapeta.gateway.ledger.budgets import budgets, change_budget, told
from chapeta.gateway.ledger.chats import used_by_chats
from chapeta.gateway.ledger.limits import Budget, period_start
from chapeta.gateway.ledger.over_time import days_ago, over_time
from chapeta.storage.calls import add_spend
from chapeta.storage.database import Database, open_database
from chapeta.storage.tables import chats, turns


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with open_database(database_url) as database:
        yield database


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def a_call(number: int, day: str, **changes: Any) -> Call:
    call = Call(
        id=f"call-{number}", started_at=at(day), provider="openai", model="openai/gpt", deployment="", key_name="", run="",
        tokens_in=100, tokens_out=20, tokens_cached=0, tokens_reasoning=None, usd=0.5, latency_ms=80.0, first_token_ms=30.0,
        status=200, outcome="ok", code="", streamed=True, attempts=1, request_id="",
    )  # fmt: skip
    return call._replace(**changes)


def a_turn(number: int, chat: str, day: str, **changes: Any) -> dict[str, Any]:
    row = {
        "id": f"turn-{number}", "chat_id": chat, "parent_id": "", "role": "assistant", "status": "done",
        "created_at": at(day), "model": "openai/gpt", "skill": "", "skill_version": "", "skill_by": "",
        "call_id": f"call-{number}", "tokens_in": 100, "tokens_out": 20, "usd": 0.5, "reasoning": "", "text": "Yes.",
    }  # fmt: skip
    return row | changes


def put_chats(database: Database) -> None:
    with database.write() as connection:
        row = {"created_at": 1.0, "updated_at": 1.0, "pinned": False, "model": "", "skill": "", "folder": ""}
        connection.execute(chats.insert(), [
            {**row, "id": "cheap", "title": "Cheap one", "deleted_at": None},
            {**row, "id": "dear", "title": "Dear one", "deleted_at": None},
            {**row, "id": "gone", "title": "Gone one", "deleted_at": 5.0},
        ])  # fmt: skip
        connection.execute(turns.insert(), [
            a_turn(1, "cheap", "2026-11-20 10:00", usd=0.1),
            a_turn(2, "dear", "2026-11-20 11:00", usd=2.0),
            a_turn(3, "dear", "2026-11-22 00:00", usd=None, tokens_in=None),
            a_turn(4, "gone", "2026-11-21 12:00", usd=0.2),
            a_turn(5, "purged", "2026-11-21 12:00", usd=None),
            a_turn(6, "cheap", "2026-11-21 12:00", role="user", call_id="", usd=None, tokens_in=None, tokens_out=None),
        ])  # fmt: skip


def test_chats_with_what_they_cost(database: Database) -> None:
    put_chats(database)
    found = used_by_chats(database)
    assert [(one.id, one.title, one.is_gone, one.calls) for one in found] == [
        ("dear", "Dear one", False, 2), ("gone", "Gone one", True, 1), ("cheap", "Cheap one", False, 1),
        ("purged", "", True, 1),
    ]  # fmt: skip
    dear = found[0]
    assert (dear.tokens_in, dear.tokens_out, dear.usd, dear.cost_unknown_calls) == (100, 40, 2.0, 1)
    assert dear.last_s == at("2026-11-22 00:00")
    assert all(isinstance(value, int) for value in (dear.calls, dear.tokens_in, dear.cost_unknown_calls))
    assert [one.id for one in used_by_chats(database, at("2026-11-21"))] == ["gone", "dear", "purged"]
    assert [one.id for one in used_by_chats(database, most=1)] == ["dear"]


def test_days_of_chats(database: Database) -> None:
    put_chats(database)
    days = over_time(database, "chat", most=2)
    assert days.days == ("2026-11-20", "2026-11-21", "2026-11-22")
    assert [(one.group, one.usd, one.tokens) for one in days.series] == [
        ("dear", (2.0, 0.0, 0.0), (120, 0, 20)), ("gone", (0.0, 0.2, 0.0), (0, 120, 0)),
        (None, (0.1, 0.0, 0.0), (120, 120, 0)),
    ]  # fmt: skip


def test_days_without_a_gap_and_the_groups_that_cost_most(database: Database) -> None:
    rows = [
        a_call(1, "2026-11-20 23:59:59"), a_call(2, "2026-11-23 00:00"), a_call(3, "2026-11-23 01:00", model="b", usd=None),
        a_call(4, "2026-11-23 02:00", model="c", usd=None, tokens_in=None, tokens_out=None),
    ]  # fmt: skip
    store(database, Batch(rows, {}))
    days = over_time(database, "model", most=1)
    assert days.days == ("2026-11-20", "2026-11-21", "2026-11-22", "2026-11-23") and days.is_paid
    assert [(one.group, one.usd, one.tokens) for one in days.series] == [
        ("openai/gpt", (0.5, 0.0, 0.0, 0.5), (120, 0, 0, 120)), (None, (0.0,) * 4, (0, 0, 0, 120)),
    ]  # fmt: skip
    assert over_time(database, "model", at("2026-11-23")).days == ("2026-11-23",)
    assert [one.group for one in over_time(database, "key").series] == [""]
    with pytest.raises(BadInput, match="not counted by 'day'"):
        over_time(database, "day")


def test_nothing_was_called(database: Database) -> None:
    days = over_time(database)
    assert (days.days, days.series, days.is_paid) == ((), (), False)
    assert used_by_chats(database) == [] and budgets(database) == []


def test_days_begin_at_midnight_utc() -> None:
    assert days_ago(1, at("2026-11-23 15:00")) == at("2026-11-23")
    assert days_ago(7, at("2026-11-23 15:00")) == at("2026-11-17")


def test_budgets_and_another_sum_for_one(database: Database) -> None:
    now_s = at("2026-11-23 15:00")
    for name, budget in (("ci", Budget(5, "day")), ("app", Budget(2, "month")), ("free", None)):
        issue(database, name, budget=budget)
    ids = {key.name: key.id for key in listed(database, now_s)}
    with database.write() as connection:
        add_spend(
            connection, {(ids["ci"], period_start("day", now_s)): 1.0, (ids["app"], period_start("month", now_s)): 3.0}
        )
    app, ci = budgets(database, now_s)
    assert (app.key, app.share, app.left_usd, told(app)) == ("app", 1.5, 0.0, "$3.00 of $2.00 a month")
    assert (ci.key, ci.share, ci.begins_anew_s) == ("ci", 0.2, at("2026-11-24"))
    assert change_budget(database, "ci", 10) == Budget(10, "day")
    assert {use.key: use.share for use in budgets(database, now_s)} == {"app": 1.5, "ci": 0.1}


@pytest.mark.parametrize(
    ("name", "usd"), [("ci", 0.0), ("ci", -1.0), ("ci", float("nan")), ("free", 5.0), ("other", 5.0)]
)
def test_what_is_no_budget_is_refused(name: str, usd: float, database: Database) -> None:
    issue(database, "ci", budget=Budget(5, "day"))
    issue(database, "free")
    with pytest.raises((BadInput, Missing)):
        change_budget(database, name, usd)
    assert [use.budget for use in budgets(database)] == [Budget(5, "day")]
