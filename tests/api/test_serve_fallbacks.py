"""Other models that take over: before the first token, whatever went wrong; never after it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from callers import (
    CLAUDE,
    GPT,
    Json,
    Providers,
    Stream,
    Upstream,
    at_once,
    body_of,
    checked,
    chunks_of,
    error_of,
    ledger_of,
    streamed_text,
    text_of,
    wait_for,
)

from serving import Serving, point
from standin.server import nobody

OTHER = "openai/gpt-4.1-mini"  # at another provider, so that its calls are told apart
LATE = "?retry_after_s=100"  # longer than anyone waits: no second try
BEFORE_A_TOKEN = [
    "402", "404", f"408{LATE}", f"429{LATE}", "500", f"502{LATE}", f"503{LATE}", f"529{LATE}", "close", "garbage", "html",
]  # fmt: skip
AFTER_SOME_TRIES = ["502", "error-200"]  # each takes a second or two: once


@pytest.fixture(scope="module")
def hasty(new_home: Any, providers: Providers) -> Iterator[Serving]:
    """A server that waits one second for a word of a provider."""
    home = new_home()
    providers.point(home)
    with Serving(home, "--answer-seconds", "1", **providers.variables) as server:
        yield server


@pytest.fixture
def hasty_server(hasty: Serving) -> Iterator[Serving]:
    yield from checked(hasty)


def said(answer: Any, streamed: bool) -> str:
    return streamed_text(chunks_of(answer)) if streamed else text_of(answer)


@pytest.mark.parametrize(
    ("fault", "streamed"),
    [*itertools.product(BEFORE_A_TOKEN, (False, True)), *itertools.product(AFTER_SOME_TRIES, (True,))],
)
def test_another_provider_takes_over_before_the_first_token(
    server: Serving, router: Upstream, openai: Upstream, fault: str, streamed: bool
) -> None:
    models = [f"openrouter/fault/{fault}", OTHER]
    status, _, answer = server.chat(models[0], "one two", models=models, stream=streamed)
    assert status == 200, answer
    assert said(answer, streamed) == "one two"
    assert len(openai.chats) == 1
    assert openai.last["model"] == "gpt-4.1-mini"


def test_the_ledger_has_who_answered_and_how_many_were_asked(
    server: Serving, router: Upstream, shared_home: Path
) -> None:
    models = ["openrouter/fault/500", "openrouter/fault/404", OTHER]
    answers = [server.chat(models[0], models=models, stream=streamed) for streamed in (False, True)]
    for found in ledger_of(shared_home, [headers["x-request-id"] for _, headers, _ in answers]):
        assert (found["model"], found["provider"], found["outcome"]) == (OTHER, "openai", "ok")
        assert found["attempts"] == 3


@pytest.mark.parametrize("fault", ["cut?after=0", "cut-quietly?after=0", "garbage-json"])
def test_a_stream_that_breaks_before_its_first_token_is_taken_over(
    server: Serving, router: Upstream, openai: Upstream, fault: str
) -> None:
    status, _, answer = server.chat(f"openrouter/fault/{fault}", "one two", models=[OTHER], stream=True)
    assert status == 200, answer
    assert said(answer, True) == "one two"
    assert len(openai.chats) == 1


@pytest.mark.parametrize(("fault", "streamed"), [("stall", False), ("stall-headers", True)])
def test_another_provider_takes_over_from_a_silent_one(
    hasty_server: Serving, router: Upstream, openai: Upstream, fault: str, streamed: bool
) -> None:
    body = body_of(f"openrouter/fault/{fault}", "one two", models=[OTHER])
    if streamed:
        with Stream(hasty_server, body) as stream:
            assert said(stream.text(), True) == "one two"
    else:
        assert said(hasty_server.post("/chat/completions", body)[2], False) == "one two"
    assert len(openai.chats) == 1
    wait_for(lambda: router.chats[0].disconnected)  # the silent call was given up, not left


def test_another_provider_takes_over_where_nobody_listens(server: Serving, openai: Upstream, shared_home: Path) -> None:
    with nobody() as url:
        point(shared_home, "nobody", url, needs_key=False)
        body = body_of("nobody/x", "one two", models=["nobody/x", OTHER])
        status, _, answer = server.post("/chat/completions", body)
    assert status == 200, answer
    assert text_of(answer) == "one two"


def test_models_may_stand_without_a_model(server: Serving, openai: Upstream, router: Upstream) -> None:
    messages = [{"role": "user", "content": "one two"}]
    status, _, answer = server.post(
        "/chat/completions", {"models": ["openrouter/fault/500", OTHER], "messages": messages}
    )
    assert status == 200, answer
    assert text_of(answer) == "one two"
    assert len(openai.chats) == 1


def test_the_model_is_asked_before_the_models(server: Serving, router: Upstream, openai: Upstream) -> None:
    assert server.chat(OTHER, models=[GPT, CLAUDE])[0] == 200
    assert len(openai.chats) == 1
    assert not router.chats


def test_the_fallback_gets_the_same_request(server: Serving, router: Upstream, openai: Upstream) -> None:
    wish: Json = {"temperature": 0.5, "response_format": {"type": "json_object"}, "user": "bob"}
    assert server.chat("openrouter/fault/500", "one two", models=[OTHER], **wish)[0] == 200
    asked = {name: openai.last[name] for name in ("temperature", "response_format", "user", "messages")}
    assert asked == {**wish, "messages": [{"role": "user", "content": "one two"}]}
    assert "models" not in openai.last  # OpenAI would refuse it


def test_models_of_openrouters_take_over_from_one_another(server: Serving, router: Upstream) -> None:
    status, _, answer = server.chat("openrouter/fault/500", "one two", models=["openrouter/fault/404", GPT])
    assert status == 200, answer
    assert text_of(answer) == "one two"
    assert answer["model"].startswith("openai/gpt-4.1-mini")


def test_where_all_fail_the_last_error_is_told(server: Serving, router: Upstream, openai: Upstream) -> None:
    status, _, answer = server.chat("openrouter/fault/500", models=["openai/fault/402"])
    assert status == 402
    assert answer["error"]["metadata"]["provider"] == "openai"


@pytest.mark.parametrize("fault", ["cut", "cut-event", "cut-quietly?after=3", "error-mid"])
def test_nobody_takes_over_after_the_first_token(
    server: Serving, router: Upstream, openai: Upstream, fault: str
) -> None:
    status, _, answer = server.chat(f"openrouter/fault/{fault}", "one two three four", models=[OTHER], stream=True)
    assert status == 200
    assert error_of(answer)["message"]
    assert streamed_text(chunks_of(answer)) in ("one", "one two")
    assert len(router.chats) == 1
    assert not openai.chats


def test_nobody_takes_over_from_a_stall_after_the_first_token(
    hasty_server: Serving, router: Upstream, openai: Upstream
) -> None:
    with Stream(hasty_server, body_of("openrouter/fault/stall-mid", "one two three four", models=[OTHER])) as stream:
        answer = stream.text()
    assert error_of(answer)["message"]
    assert streamed_text(chunks_of(answer)) in ("one", "one two")
    assert not openai.chats
    wait_for(lambda: router.chats[0].disconnected)


def test_a_stall_without_a_fallback_is_a_timeout(hasty_server: Serving, router: Upstream) -> None:
    bodies = [body_of("openrouter/fault/stall", stream=streamed) for streamed in (False, True)]
    for status, answer in at_once(hasty_server, bodies):
        assert status in (408, 504), answer
        assert json.loads(answer)["error"]["metadata"]["remedy"]
    assert len(router.chats) == 2  # the provider may be at work: never sent twice
    wait_for(lambda: all(chat.disconnected for chat in router.chats))


def test_a_slow_but_steady_stream_is_no_stall(hasty_server: Serving, router: Upstream) -> None:
    with Stream(hasty_server, body_of("openrouter/fault/slow?delay_s=0.25", "one two")) as stream:
        events = list(stream.events())
    assert events[-1] == "[DONE]"
    assert not [event for event in events if '"error"' in event]


@pytest.mark.parametrize("models", ["x", 5, {}, [5], [""], [None], [[]], ["x" * 100_000]])
def test_wrong_models_are_refused(server: Serving, models: Any) -> None:
    status, _, answer = server.chat("openrouter/fault/500", models=models)
    assert 400 <= status < 500, answer
    assert answer["error"]["message"]
