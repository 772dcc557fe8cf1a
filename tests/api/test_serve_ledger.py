"""The ledger after calls over HTTP: every call, with tokens, cost and times; kept over stops, kills and locked databases."""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from callers import (
    CLAUDE,
    GPT,
    Providers,
    Stream,
    Upstream,
    at_once,
    bearer,
    body_of,
    chunks_of,
    issue,
    row,
    rows,
    usage,
    wait_for,
)

from serving import Serving

OPENAI = "openai/gpt-4.1-mini"
MINE = "mine/openai/gpt-4.1-mini"
PRICED = "priced/openai/gpt-4.1-mini"
SECRET_QUESTION = "marmalade-zeppelin-question"
SECRET_ANSWER = "marmalade-zeppelin-answer"


@pytest.fixture
def own_home(new_home: Any, providers: Providers) -> Path:
    home: Path = new_home()
    providers.point(home)
    return home


def by(report: dict[str, Any], group: str) -> dict[str, Any]:
    return {line[group]: line for line in report["rows"]}


def test_usage_after_a_clean_stop_has_every_call(
    own_home: Path, providers: Providers, router: Upstream, openai: Upstream, mine: Upstream
) -> None:
    """Calls of all kinds, the last an instant before the stop; then the report by model, key, day and deployment."""
    token = issue(own_home, "bob")
    before = router.spent_usd
    with Serving(own_home, **providers.variables) as server:
        with Stream(server, body_of("openrouter/fault/endless")) as stream:
            assert stream.event()
        wait_for(lambda: router.chats[0].disconnected)
        server.chat("openrouter/fault/402")
        server.chat("openrouter/fault/error-mid", "one two three four", stream=True)
        server.chat("no-such-model")
        answers = [
            server.chat(GPT, "one two")[2],
            server.post("/chat/completions", body_of(CLAUDE, reasoning={"effort": "low"}), **bearer(token))[2],
            chunks_of(server.chat(GPT, "one two three", stream=True)[2])[-1],
            server.chat(OPENAI, "one two")[2],
            server.chat(MINE, "one two")[2],
            server.chat(PRICED, "one two")[2],
        ]
        embedded = server.post("/embeddings", {"model": "openrouter/openai/text-embedding-3-small", "input": "a b"})[2]
        assert server.stop() == 0
        assert "Traceback" not in server.err
    models = by(usage(own_home), "model")
    gpt, claude = models[GPT], models[CLAUDE]
    assert (gpt["calls"], gpt["errors"], gpt["cancelled"]) == (2, 0, 0)
    assert gpt["tokens_in"] == answers[0]["usage"]["prompt_tokens"] + answers[2]["usage"]["prompt_tokens"]
    assert gpt["tokens_out"] == 5
    assert gpt["usd"] == pytest.approx(answers[0]["usage"]["cost"] + answers[2]["usage"]["cost"])
    assert 0 < gpt["first_token_p50_ms"] <= gpt["latency_p95_ms"]
    assert claude["usd"] == pytest.approx(answers[1]["usage"]["cost"])
    used = answers[3]["usage"]
    assert models[OPENAI]["usd"] == pytest.approx(used["prompt_tokens"] * 0.4e-6 + used["completion_tokens"] * 1.6e-6)
    assert (models[MINE]["usd"], models[MINE]["cost_unknown_calls"]) == (None, 1)
    used = answers[5]["usage"]
    assert models[PRICED]["usd"] == pytest.approx(used["prompt_tokens"] * 1e-6 + used["completion_tokens"] * 2e-6)
    assert models["openrouter/openai/text-embedding-3-small"]["usd"] == pytest.approx(embedded["usage"]["cost"])
    assert models["openrouter/fault/402"]["errors"] == models["openrouter/fault/error-mid"]["errors"] == 1
    assert models["openrouter/fault/402"]["usd"] == 0
    assert models["openrouter/fault/endless"]["cancelled"] == 1
    assert models["openrouter/fault/endless"]["errors"] == 0
    assert (models["openrouter/fault/endless"]["usd"], models["openrouter/fault/endless"]["cost_unknown_calls"]) == (
        None,
        1,
    )
    total = usage(own_home)["total"]
    assert total["calls"] >= 10
    assert total["usd"] <= router.spent_usd - before + models[OPENAI]["usd"] + models[PRICED]["usd"] + 1e-9
    keys = by(usage(own_home, "key"), "key")
    assert keys["bob"]["calls"] == 1
    assert keys["bob"]["tokens_out"] == answers[1]["usage"]["completion_tokens"]
    assert [line["calls"] for line in usage(own_home, "day")["rows"]] == [total["calls"]]


def test_a_refused_call_is_in_the_ledger(server: Serving, shared_home: Path) -> None:
    status, headers, _ = server.chat("openrouter/fault/402")
    found = row(shared_home, id=headers["x-request-id"])
    assert status == found["status"] == 402
    assert (found["outcome"], found["streamed"], found["attempts"], found["usd"]) == ("error", 0, 1, 0)
    assert found["latency_ms"] > 0
    assert found["provider"] == "openrouter"


def test_reasoning_and_cached_tokens_are_counted(server: Serving, router: Upstream, shared_home: Path) -> None:
    part = {"type": "text", "text": "a part of the prompt that is kept", "cache_control": {"type": "ephemeral"}}
    messages = [{"role": "system", "content": [part]}, {"role": "user", "content": "why?"}]
    body = {"model": CLAUDE, "messages": messages, "reasoning": {"effort": "medium"}}
    server.post("/chat/completions", body)
    _, headers, answer = server.post("/chat/completions", body)
    found = row(shared_home, id=headers["x-request-id"])
    assert found["tokens_reasoning"] == 16
    assert found["tokens_cached"] == answer["usage"]["prompt_tokens_details"]["cached_tokens"] > 0
    assert found["request_id"] == answer["id"]


def test_a_providers_request_id_is_kept(server: Serving, router: Upstream, shared_home: Path) -> None:
    _, headers, answer = server.chat(GPT, stream=True)
    found = row(shared_home, id=headers["x-request-id"])
    assert found["request_id"] == headers["x-provider-request-id"] == chunks_of(answer)[0]["id"]


# Content


def content_of(home: Path) -> bytes:
    """All bytes that a server left in its data directory."""
    return b"".join(file.read_bytes() for file in home.rglob("*") if file.is_file() and "models" not in file.parts)


def ask_in_many_ways(server: Serving, router: Upstream, home: Path) -> None:
    router.say(SECRET_ANSWER)
    for name, streamed in (("whole", False), ("stream", True)):
        server.chat(f"{GPT}:{name}", SECRET_QUESTION, stream=streamed)
    server.chat("openrouter/fault/402", SECRET_QUESTION)
    server.chat("openrouter/fault/cut", SECRET_QUESTION, stream=True)
    server.post("/chat/completions", SECRET_QUESTION.encode())
    row(home, model=f"{GPT}:stream")
    assert SECRET_QUESTION not in server.err


def test_prompts_and_answers_are_not_kept(server: Serving, router: Upstream, shared_home: Path) -> None:
    ask_in_many_ways(server, router, shared_home)
    left = content_of(shared_home)
    assert SECRET_QUESTION.encode() not in left
    assert SECRET_ANSWER.encode() not in left


def test_prompts_and_answers_are_kept_if_the_user_says_so(
    own_home: Path, providers: Providers, router: Upstream
) -> None:
    with Serving(own_home, "--keep-content", **providers.variables) as server:
        ask_in_many_ways(server, router, own_home)
    for name in ("whole", "stream"):
        found = row(own_home, model=f"{GPT}:{name}")
        assert SECRET_QUESTION in found["prompt"]
        assert SECRET_ANSWER in found["answer"] or SECRET_ANSWER in joined(found["answer"])


def joined(kept: str) -> str:
    """A kept stream is its events: their text."""
    found = [json.loads(line[6:]) for line in kept.splitlines() if line.startswith("data: {")]
    return "".join(choice["delta"].get("content") or "" for chunk in found for choice in chunk["choices"])


# Stops and accidents


def test_a_stop_waits_for_the_calls_that_run_and_loses_none(
    own_home: Path, providers: Providers, router: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By SIGTERM, as systemd and containers stop it; here with a database of another place."""
    monkeypatch.setenv("CHAPETA_DATABASE_URL", f"sqlite:///{tmp_path}/elsewhere.sqlite")
    with Serving(own_home, **providers.variables) as server:
        router.next_fault("stall-mid")
        with Stream(server, body_of(f"{GPT}:at-the-end", "one two three four")) as stream:
            wait_for(lambda: router.chats and router.chats[0].stalled)
            for number in range(10):
                assert server.chat(GPT, stream=number % 2 == 1)[0] == 200
            server.process.send_signal(signal.SIGTERM)
            wait_for(lambda: refused(server))
            router.release()
            assert list(stream.events())[-1] == "[DONE]"
        server.process.wait(30)
        assert "Traceback" not in server.err
    models = by(usage(own_home), "model")
    assert (models[GPT]["calls"], models[GPT]["errors"]) == (10, 0)
    assert (models[f"{GPT}:at-the-end"]["calls"], models[f"{GPT}:at-the-end"]["errors"]) == (1, 0)
    assert (tmp_path / "elsewhere.sqlite").exists()
    assert not (own_home / "chapeta.sqlite").exists()


def refused(server: Serving) -> bool:
    """Whether the server takes no new connections."""
    try:
        return server.get("/models/x")[0] == 503
    except OSError:
        return True


def test_after_kill_9_calls_older_than_a_second_are_there(
    own_home: Path, providers: Providers, router: Upstream
) -> None:
    with Serving(own_home, **providers.variables) as server:
        at_once(server, [body_of(GPT, f"question {number}", stream=number % 2 == 1) for number in range(50)])
        ended = time.monotonic()
        while time.monotonic() - ended < 1.2:  # the promise is about time: a second may be lost, and no more
            server.chat(f"{GPT}:late")
            time.sleep(0.05)
        server.kill()
    assert by(usage(own_home), "model")[GPT]["calls"] == 50


def test_a_locked_database_stops_no_call_and_loses_none(server: Serving, router: Upstream, shared_home: Path) -> None:
    _, headers, _ = server.chat(GPT)
    row(shared_home, id=headers["x-request-id"])
    with contextlib.closing(sqlite3.connect(shared_home / "chapeta.sqlite", isolation_level=None, timeout=10)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        for number in range(20):
            assert server.chat(f"{GPT}:locked", stream=number % 2 == 1)[0] == 200
        assert time.monotonic() - began < 10
        other.execute("ROLLBACK")
    wait_for(lambda: len(rows(shared_home, model=f"{GPT}:locked")) == 20)
