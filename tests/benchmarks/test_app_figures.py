"""What the app's benchmark (`benchmarks/app/`) computes, and that what it measures with is there. Nothing is timed here."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from chapeta.chat.store import Chats
from chapeta.storage.database import open_database

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "app"


@pytest.fixture(autouse=True)
def modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARK))
    monkeypatch.syspath_prepend(str(BENCHMARK.parents[1] / "tests" / "web"))
    monkeypatch.setenv("PYTHONPATH", str(BENCHMARK.parents[1] / "src"))


def test_a_slope_leaves_out_how_it_began() -> None:
    from figures import slope

    rising = [(hour / 10, 100.0 + 5 * hour / 10) for hour in range(30)]
    assert slope(rising) == pytest.approx(5.0)
    assert slope([(0.0, 0.0), (0.1, 80.0), (0.2, 100.0), *((hour / 10, 100.0) for hour in range(3, 10))]) == 0.0
    assert slope([(0.0, 1.0)]) == 0.0


def test_costs_are_divided_by_straight_lines() -> None:
    from figures import per_part

    assert per_part([(0, 0.0), (10, 1.0), (20, 3.0), (40, 3.0)], 10) == pytest.approx([1.0, 2.0, 0.0, 0.0])
    assert per_part([(0, 5.0), (25, 10.0)], 10) == pytest.approx([2.0, 2.0])
    assert per_part([(0, 0.0), (3, 1.0)], 10) == []


def test_the_table_says_what_was_missed() -> None:
    from figures import Figure, as_json, table

    figures = [
        Figure("one", "ms", (3.0, 1.0, 2.0), 2.0, 0.5),
        Figure("two", "s", (9.0,), 2.0, 0.5),
        Figure("three", "MB", (1234.5,), None, 0.5),
    ]
    lines = table(figures).splitlines()[2:]
    assert lines == [
        "| one | 2.00 ms | 1.00–3.00 | 3 | ≤ 2.00 | met | 0.5 |",
        "| two | 9.00 s |  | 1 | ≤ 2.00 | **missed** | 0.5 |",
        "| three | 1,234 MB |  | 1 |  |  | 0.5 |",
    ]
    assert json.loads(json.dumps(as_json({"Machine": "x"}, {"Part": figures})))["Part"][0]["runs"] == [3.0, 1.0, 2.0]


def test_parts_are_chosen_by_letter(capsys: pytest.CaptureFixture[str]) -> None:
    from run import parsed

    assert parsed(["--only", "a,c"]).only == ["a", "c"]
    with pytest.raises(SystemExit):
        parsed(["--only", "z"])
    assert "no part z" in capsys.readouterr().err


def test_the_filled_database_is_one_that_the_app_can_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import made
    from made import END, LONG_CHARACTERS, fill

    monkeypatch.setattr(made, "LONG_TURNS", 10)
    with open_database(f"sqlite:///{tmp_path / 'filled.sqlite'}") as database:
        fill(database, chat_count=4, turn_count=12, long_chats=1)
        chats = Chats(database)
        assert len(chats.page()) == 5
        assert len(chats.branch(chats.get("c3").tip_id or "")) == 3
        newest = chats.branch(chats.get("long0").tip_id or "", limit=2)
        assert [turn.text.endswith(f"{END}{8 + number}") for number, turn in enumerate(newest)] == [
            True,
            True,
        ]
        assert all(len(turn.text) > LONG_CHARACTERS for turn in newest)


@pytest.fixture
def provider() -> Iterator[Any]:
    from driving import Provider

    with Provider() as running:
        yield running


def test_the_provider_streams_what_it_is_asked_for(provider: Any) -> None:
    connection = http.client.HTTPConnection(urlsplit(provider.url).netloc, timeout=60)
    for per_s in (0, 2000):
        connection.request("POST", "/v1/chat/completions", json.dumps({"model": f"mine/100-{per_s}", "stream": True}))
        lines = [line[6:] for line in connection.getresponse().read().decode().splitlines() if line]
        assert lines.pop() == "[DONE]"
        events = [json.loads(line) for line in lines]
        deltas = [event["choices"][0]["delta"].get("content", "") for event in events if event["choices"]]
        assert [len(delta) for delta in deltas] == [4] * 100 + [0]
        assert events[-1]["usage"]["completion_tokens"] == 100
        assert provider.sent() == 100
    provider.forget()
    assert provider.sent() == 0
    connection.close()
