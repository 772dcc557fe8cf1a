"""Writing rows: once each, in bulk, and in a shape that both databases take."""

from __future__ import annotations

import math
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from chapeta.gateway.ledger import Call
from chapeta.storage.calls import COLUMNS, add_spend, cleaned, insert_calls, is_known
from chapeta.storage.database import open_database
from chapeta.storage.tables import calls, spend


def row(number: int, **changes: Any) -> Call:
    call = Call(f"id{number}", 1.8e9, "openai", "openai/gpt", "", "ci", "", 10, 2, 0, None, 0.5, 80.0, None, 200, "ok", "", False, 1, "r")  # fmt: skip # noqa: E501
    return call._replace(**changes)


def test_a_call_has_the_columns_in_their_order() -> None:
    assert Call._fields == COLUMNS


@pytest.mark.parametrize("count", [1, 99, 100, 250])
def test_each_row_is_there_once_however_often_it_is_written(database_url: str, count: int) -> None:
    rows = [row(n, tokens_in=n, streamed=n % 2 == 1, prompt=f"Zeile\t{n}\n\\N") for n in range(count)]
    with open_database(database_url) as database:
        for _ in range(2):
            with database.write() as connection:
                insert_calls(connection, rows)
        with database.read() as connection:
            found = connection.execute(select(calls).order_by(calls.c.tokens_in)).all()
            assert [tuple(one) for one in found] == [tuple(one) for one in rows]
            assert is_known(connection, "id0")
            assert not is_known(connection, "id-1")


def test_spend_adds_up(database_url: str) -> None:
    with open_database(database_url) as database:
        for _ in range(3):
            with database.write() as connection:
                add_spend(connection, {("a", 0.0): 0.25, ("a", 86400.0): 1.0, ("b", 0.0): 2.0})
        with database.read() as connection:
            found = connection.execute(select(spend).order_by(spend.c.key_id, spend.c.period_start)).all()
    assert [tuple(one) for one in found] == [("a", 0.0, 0.75), ("a", 86400.0, 3.0), ("b", 0.0, 6.0)]


BAD = {
    "usd": [math.inf, -1.0, 1e300, "free"],
    "tokens_in": [2**70, {"prompt": 3}, "many"],
    "prompt": ["half a \ud83d", ["a", "list"]],
    "latency_ms": [math.inf, None],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_a_cleaned_row_fits_whatever_a_provider_sent(database_url: str, name: str, value: object) -> None:
    with open_database(database_url) as database:
        with database.write() as connection:
            insert_calls(connection, [cleaned(row(1, **{name: value}))])
        with database.read() as connection:
            found = connection.execute(select(calls)).one()
    assert tuple(found) == tuple(cleaned(row(1, **{name: value})))


def test_cleaning_keeps_what_is_well_and_makes_unknown_what_is_not() -> None:
    assert cleaned(row(1)) == tuple(row(1))
    assert cleaned(row(1, usd=math.nan, tokens_in=math.nan, tokens_out=3.0))[7:12] == (None, 3, 0, None, None)
    assert cleaned(row(1, prompt="a\0b\ud83d"))[20] == "a\ufffdb?"


def test_a_refused_row_leaves_none_of_its_batch(database_url: str) -> None:
    with open_database(database_url) as database:
        with pytest.raises(DBAPIError), database.write() as connection:
            insert_calls(connection, [row(1), row(2, usd=math.inf)])
        with database.read() as connection:
            assert connection.execute(select(func.count()).select_from(calls)).scalar() == 0
