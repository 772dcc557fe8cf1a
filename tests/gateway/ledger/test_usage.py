"""`chapeta usage`: sums, unknown costs apart, percentiles, days of UTC, the same on both databases."""

from __future__ import annotations

import json
import math
import random
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chapeta import config
from chapeta.cli.main import main
from chapeta.errors import BadInput
from chapeta.gateway.ledger import Batch, Call, Ledger, store
from chapeta.gateway.ledger.usage import GROUPS, parse_since, usage
from chapeta.storage.database import open_database


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def a_call(number: int, **changes: Any) -> Call:
    call = Call(
        id=f"call-{number:06}", started_at=at("2026-11-20 10:00"), provider="openai", model="openai/gpt", deployment="",
        key_name="ci", run="", tokens_in=100, tokens_out=20, tokens_cached=10, tokens_reasoning=None, usd=0.25,
        latency_ms=80.0, first_token_ms=30.0, status=200, outcome="ok", code="", streamed=True, attempts=1, request_id="",
    )  # fmt: skip
    return call._replace(**changes)


SIX = [
    a_call(0),
    a_call(1, latency_ms=100.0, first_token_ms=None),
    a_call(2, usd=None, tokens_in=None, tokens_cached=None, latency_ms=120.0, first_token_ms=50.0),
    a_call(3, outcome="error", status=429, usd=0.0, tokens_in=None, tokens_out=None, tokens_cached=None, latency_ms=1.0),
    a_call(4, outcome="cancelled", status=499, usd=None, latency_ms=9000.0, started_at=at("2026-11-20 23:59:59.9")),
    a_call(5, provider="embedded", model="smollm2-135m", key_name="", deployment="triage", usd=None, tokens_cached=None,
           started_at=at("2026-11-21 00:00")),
]  # fmt: skip


def fill(url: str, rows: list[Call]) -> None:
    with open_database(url) as database:
        store(database, Batch(rows, {}))


def test_groups_and_totals(database_url: str) -> None:
    fill(database_url, SIX)
    with open_database(database_url) as database:
        report = usage(database)
    gpt, smol = report.rows
    assert (gpt.group, gpt.calls, gpt.errors, gpt.cancelled) == ("openai/gpt", 5, 1, 1)
    assert (gpt.tokens_in, gpt.tokens_out, gpt.tokens_cached) == (300, 80, 30)
    assert (gpt.usd, gpt.cost_unknown_calls) == (0.5, 2)
    assert (gpt.latency_p50_ms, gpt.latency_p95_ms, gpt.first_token_p50_ms) == (100.0, 120.0, 30.0)
    assert (smol.group, smol.usd, smol.cost_unknown_calls, smol.tokens_cached) == ("smollm2-135m", None, 1, None)
    total = report.total
    assert (total.calls, total.errors, total.usd, total.cost_unknown_calls) == (6, 1, 0.5, 3)
    assert (total.tokens_in, total.tokens_out) == (400, 100)
    assert all(isinstance(value, int) for value in (total.calls, total.tokens_in))


def test_groups_of_each_kind(database_url: str) -> None:
    fill(database_url, SIX)
    with open_database(database_url) as database:
        found = {by: [(row.group, row.calls) for row in usage(database, by).rows] for by in GROUPS}
    assert found["day"] == [("2026-11-20", 5), ("2026-11-21", 1)]
    assert found["provider"] == [("openai", 5), ("embedded", 1)]
    assert found["key"] == [("ci", 5), ("", 1)]
    assert found["deployment"] == [("", 5), ("triage", 1)]


def test_only_what_came_since(database_url: str) -> None:
    fill(database_url, SIX)
    with open_database(database_url) as database:
        report = usage(database, "day", at("2026-11-21"))
        nothing = usage(database, "day", at("2026-11-22"))
    assert ([row.group for row in report.rows], report.total.calls) == (["2026-11-21"], 1)
    assert (nothing.rows, nothing.total.calls, nothing.total.usd) == ((), 0, None)


def nearest_rank(values: list[float], percent: int) -> float | None:
    """The definition: the smallest value with at least `percent` of all at or below it."""
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1] if values else None


def test_percentiles_are_those_of_the_definition(database_url: str) -> None:
    chance = random.Random(5)
    rows = [
        a_call(
            number,
            model=f"m{number % 7}",
            latency_ms=round(chance.lognormvariate(5, 1), 2),
            first_token_ms=chance.choice([None, chance.random() * 100]),
            outcome=chance.choice(["ok", "ok", "error"]),
        )
        for number in range(600)
    ]
    fill(database_url, rows)
    with open_database(database_url) as database:
        report = usage(database)
    for row in (*report.rows, report.total):
        ok = [call for call in rows if call.outcome == "ok" and row.group in ("", call.model)]
        latencies = [call.latency_ms for call in ok]
        firsts = [call.first_token_ms for call in ok if call.first_token_ms is not None]
        assert row.latency_p50_ms == nearest_rank(latencies, 50)
        assert row.latency_p95_ms == nearest_rank(latencies, 95)
        assert row.first_token_p50_ms == nearest_rank(firsts, 50)


def test_an_unknown_group_is_refused(empty_home: Path) -> None:
    with open_database() as database, pytest.raises(BadInput, match="not counted by 'colour'"):
        usage(database, "colour")


NOW_S = at("2026-11-22 12:00")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("7d", "2026-11-15 12:00"),
        ("24h", "2026-11-21 12:00"),
        ("90m", "2026-11-22 10:30"),
        ("2w", "2026-11-08 12:00"),
        ("2026-11-01", "2026-11-01"),
        ("2026-11-01T06:30", "2026-11-01 06:30"),
        ("2026-11-01T06:30+02:00", "2026-11-01 04:30"),
        ("9999w", "1970-01-01"),
        ("0001-01-01T00:00+23:59", "1970-01-01"),
    ],
)
def test_times_as_they_are_typed(text: str, moment: str) -> None:
    assert parse_since(text, NOW_S) == at(moment)


@pytest.mark.parametrize("text", ["", "yesterday", "7", "7y", "-7d", "2026-13-01", "٧d"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(BadInput, match="is not a time") as refused:
        parse_since(text, NOW_S)
    assert f"'{text}'" in str(refused.value)


def test_the_command_draws_a_table(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(config.DATABASE_VARIABLE, database_url)
    fill(database_url, SIX)
    assert main(["usage"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines if line.strip().startswith(("openai/gpt", "smollm2", "total"))] == [
        ["openai/gpt", "5", "1", "300", "80", "30", "$0.50", "+", "2?", "100/120", "30"],
        ["smollm2-135m", "1", "0", "100", "20", "–", "1?", "80/80", "30"],
        ["total", "6", "1", "400", "100", "30", "$0.50", "+", "3?", "80/120", "30"],
    ]
    assert "?: calls whose cost nobody knows (3), not in the sums" in lines[-1]
    assert main(["usage", "--by", "day"]) == 0
    assert "day (UTC)" in capsys.readouterr().out
    assert main(["usage", "--by", "key"]) == 0
    assert "(no key)" in capsys.readouterr().out


def test_the_command_prints_json(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(config.DATABASE_VARIABLE, database_url)
    fill(database_url, SIX)
    assert main(["usage", "--by", "key", "--since", "2026-11-20", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["by"], found["since"]) == ("key", "2026-11-20T00:00:00+00:00")
    assert [(row["key"], row["calls"], row["usd"], row["cost_unknown_calls"]) for row in found["rows"]] == [
        ("ci", 5, 0.5, 2),
        (None, 1, None, 1),
    ]
    assert found["total"]["calls"] == 6
    assert "group" not in found["total"]


def test_the_command_says_so_when_there_is_nothing(empty_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["usage"]) == 0
    assert capsys.readouterr().out == 'no calls yet: chapeta ask MODEL "…"\n'
    assert main(["usage", "--since", "7d"]) == 0
    assert capsys.readouterr().out == "no calls since then\n"
    assert main(["usage", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["total"]["usd"] is None


def test_the_command_counts_what_short_processes_left(empty_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ledger = Ledger()
    ledger.write(a_call(1))
    ledger.close()
    assert not (empty_home / "chapeta.sqlite").exists()
    assert main(["usage", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["total"]["calls"] == 1


def test_a_locked_database_is_read_without_what_waits(empty_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(config.database_url(), SIX)
    ledger = Ledger()
    ledger.write(a_call(10))
    ledger.close()
    with closing(sqlite3.connect(empty_home / "chapeta.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert main(["usage", "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["total"]["calls"] == 6
    assert "some calls still wait and are not counted" in said.err
    assert "is locked by another program" in said.err
    assert main(["usage", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["total"]["calls"] == 7


def test_errors_are_one_line(empty_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (empty_home / "chapeta.sqlite").write_text("no database " * 100, encoding="utf-8")
    assert main(["usage"]) == 5
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "is not a SQLite database" in said.err
    assert main(["usage", "--since", "soon"]) == 2
