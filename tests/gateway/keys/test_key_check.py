"""What providers say of a key, asked of a stand-in that speaks OpenRouter's and OpenAI's protocol."""

from __future__ import annotations

import dataclasses
import json
import socket
from typing import Any

import pytest

from chapeta.gateway.keys.check import KeyCheck, check
from chapeta.gateway.keys.secret import Secret
from chapeta.gateway.providers.table import REMOTES
from loopback import reply, serving
from standin.server import KEY, Standin

WRONG = "sk-or-v1-ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"


def asked(name: str, url: str, key: str | None = KEY) -> KeyCheck:
    result = check(dataclasses.replace(REMOTES[name], base_url=url), Secret(key) if key else None)
    assert not key or (key not in repr(result) and key[9:30] not in repr(result))
    return result


def test_a_good_key_and_what_it_may_spend() -> None:
    with Standin(limit_usd=100.0) as upstream:
        result = asked("openrouter", upstream.url)
    assert result.state == "ok"
    assert result.lines == (
        f"label: {KEY[:12]}...{KEY[-3:]}",
        "limit: $100.00; $100.00 remaining",
        "used: $0.00 (today $0.00, this week $0.00, this month $0.00)",
    )
    assert result.account is not None
    assert result.account["limit_remaining_usd"] == 100.0


def test_everything_that_openrouter_may_tell() -> None:
    data = {
        "label": "work\x1b[2J key",
        "limit": 100,
        "limit_remaining": 74.5,
        "limit_reset": "monthly",
        "usage": 25.5,
        "usage_daily": 0.0004,
        "usage_weekly": None,
        "byok_usage": 17.38,
        "is_free_tier": True,
        "is_management_key": True,
        "expires_at": "2027-12-31T23:59:59Z",
    }
    with serving({"/key": reply(200, json.dumps({"data": data}).encode())}) as server:
        result = asked("openrouter", server.url)
    assert result.lines == (
        "label: work [2J key",
        "limit: $100.00, reset monthly; $74.50 remaining",
        "used: $25.50 (today $0.0004, this week unknown, this month unknown)",
        "used with keys of your own at OpenRouter: $17.38",
        "free tier: no credits were ever bought; free models only, a few calls a day",
        "expires: 2027-12-31",
        "a management key: it makes other keys, but no model answers it",
    )


@pytest.mark.parametrize("data", [{}, {"limit": None, "usage": "much", "label": 5, "expires_at": []}])
def test_figures_that_are_missing_are_unknown(data: dict[str, Any]) -> None:
    with serving({"/key": reply(200, json.dumps({"data": data}).encode())}) as server:
        result = asked("openrouter", server.url)
    assert result.state == "ok"
    assert result.lines == (
        "limit: none for this key; the account's credits are the limit",
        "used: unknown (today unknown, this week unknown, this month unknown)",
    )


@pytest.mark.parametrize(("name", "dialect"), [("openrouter", "openrouter"), ("openai", "openai")])
def test_a_key_that_is_refused(name: str, dialect: str) -> None:
    with Standin(dialect=dialect) as upstream:
        result = asked(name, upstream.url, WRONG)
    assert result.state == "refused"
    assert result.reason.startswith("HTTP 401: ")


def test_lists_of_models_count() -> None:
    with Standin(dialect="openai") as upstream:
        result = asked("openai", upstream.url)
    assert result.state == "ok"
    assert result.account is not None
    assert result.lines == (f"models: {result.account['models']}",)
    with serving({"/models": reply(200, b"[]")}) as server:
        assert asked("together", server.url).lines == ("models: 0",)
    with serving({"/models": reply(200, b'{"data": [{"id": "claude-x"}], "has_more": true}')}) as server:
        result = asked("anthropic", server.url)
        assert (result.state, result.lines) == ("ok", ())  # it was asked for one
        assert server.seen[0][1]["x-api-key"] == KEY
    with serving({"/models": reply(200, b'{"object": "list", "data": null}')}) as server:
        assert asked("ollama", server.url, None).state == "ok"
        assert "authorization" not in server.seen[0][1]


@pytest.mark.parametrize(
    ("status", "body", "state", "reason"),
    [
        (403, {"error": {"message": "Country not supported"}}, "refused", "HTTP 403: Country not supported"),
        (400, [{"error": {"code": 400, "message": "API key not valid."}}], "refused", "HTTP 400: API key not valid."),
        (400, {"error": "bad"}, "unknown", "HTTP 400: bad"),
        (429, {"error": {"message": "Slow down"}}, "unknown", "HTTP 429: Slow down"),
        (500, {}, "unknown", "HTTP 500"),
        (404, {"detail": "Not Found"}, "unknown", "HTTP 404: Not Found"),
        (402, {"error": {"message": "No credits"}}, "ok", ""),
        (401, {"error": {"message": f"Incorrect key {KEY[:40]}***"}}, "refused", "HTTP 401: Incorrect key …"),
        (401, None, "refused", "HTTP 401"),
        (200, {"hello": "world"}, "unknown", "answers, but not with a list of models."),
    ],
)
def test_what_else_may_be_said(status: int, body: Any, state: str, reason: str) -> None:
    with serving({"/models": reply(status, json.dumps(body).encode())}) as server:
        result = asked("openai", server.url)
    assert result.state == state
    assert result.reason.endswith(reason)


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()[1]
    result = asked("openai", f"http://127.0.0.1:{closed}/v1")
    assert (result.state, result.code) == ("unknown", "unreachable")
    with serving({}) as server:
        result = asked("openai", server.url)
    assert (result.state, result.code) == ("unknown", "not_json")
