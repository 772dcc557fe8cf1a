"""Answers that are broken or odd: mended where that is harmless, else an error that names what came; keys stay here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from callers import (
    Canned,
    Providers,
    Upstream,
    body_of,
    chunks_of,
    error_of,
    ledger_of,
    streamed_text,
    text_of,
)

from serving import Serving
from standin.server import KEY, Standin
from standin.spec import check_response, needs_specs, read_events

TEXT = "one two three Grüße 日本語 🦜 and more"
HARMLESS = [
    "type",
    "gzip",
    "http10",
    "continue",
    "close-said",
    "close-idle",
    "slow?delay_s=0.002",
    "drip",
    "drip?size=7",
]
HARMLESS_STREAMS = [*HARMLESS[1:], "line-ends", 'line-ends?ends="\\r"', "no-space", "fields", "no-done"]
NO_ANSWER = [
    "garbage",
    "garbage-json",
    "html",
    "cut",
    "cut-event",
    "length",
    "length?off=-10",
    "redirect",
    "error-200?code=500",
]


@pytest.mark.parametrize("fault", HARMLESS)
def test_an_odd_but_good_answer_arrives(server: Serving, router: Upstream, fault: str) -> None:
    status, headers, answer = server.chat(f"openrouter/fault/{fault}", TEXT)
    assert status == 200, answer
    assert headers["content-type"].startswith("application/json")
    assert text_of(answer) == TEXT


@pytest.mark.parametrize("fault", HARMLESS_STREAMS)
def test_an_odd_but_good_stream_arrives(server: Serving, router: Upstream, fault: str) -> None:
    status, headers, answer = server.chat(f"openrouter/fault/{fault}", TEXT, stream=True)
    assert status == 200, answer
    assert headers["content-type"].startswith("text/event-stream")
    chunks = chunks_of(answer)
    assert not [chunk for chunk in chunks if "error" in chunk]
    assert streamed_text(chunks) == TEXT
    assert chunks[-1]["usage"]["cost"] > 0


def test_the_ledger_has_the_cost_of_odd_streams(server: Serving, router: Upstream, shared_home: Path) -> None:
    answers = [server.chat(f"openrouter/fault/{fault}", TEXT, stream=True) for fault in HARMLESS_STREAMS]
    for found in ledger_of(shared_home, [headers["x-request-id"] for _, headers, _ in answers]):
        assert found["outcome"] == "ok", found
        assert found["usd"] > 0
        assert found["tokens_out"] == 8


@pytest.mark.parametrize("route", ["openrouter", "openai"])
def test_a_huge_answer_arrives(server: Serving, providers: Any, route: str) -> None:
    fault = f"{route}/fault/huge?size={5 << 20}"
    assert len(text_of(server.chat(fault, TEXT)[2])) == (5 << 20) + len(TEXT)
    chunks = chunks_of(server.chat(fault, TEXT, stream=True)[2])
    assert len(streamed_text(chunks)) == (5 << 20) + len(TEXT)


@needs_specs
@pytest.mark.parametrize("route", ["openrouter", "openai"])
@pytest.mark.parametrize("fault", NO_ANSWER)
def test_what_is_no_answer_is_an_error(
    server: Serving, providers: Any, router: Upstream, shared_home: Path, fault: str, route: str
) -> None:
    status, _, answer = server.chat(f"{route}/fault/{fault}", TEXT)
    assert status >= 500, answer
    check_response("openai", "/chat/completions", "post", status, answer)
    assert answer["error"]["metadata"]["provider"] == route
    assert answer["error"]["metadata"]["remedy"]


@pytest.mark.parametrize("fault", ["garbage", "html", "redirect", "error-200?code=500", "garbage-json"])
def test_what_is_no_stream_is_an_error(server: Serving, router: Upstream, fault: str) -> None:
    """With the status of an error where nothing was sent yet, else as an event."""
    status, _, answer = server.chat(f"openrouter/fault/{fault}", TEXT, stream=True)
    error = error_of(answer) if status == 200 else answer["error"]
    assert error["message"]
    assert status == 200 or status >= 500


def test_a_page_of_a_proxy_is_called_that(server: Serving, router: Upstream) -> None:
    error = server.chat("openrouter/fault/html", TEXT)[2]["error"]
    assert "Just a moment" in str(error) or "html" in str(error).lower()
    status, _, answer = server.chat("openrouter/fault/html?status=501", TEXT)
    assert status == 501
    assert answer["error"]["message"]


@pytest.mark.parametrize("fault", ["json-for-stream", "type"])
def test_what_does_not_call_itself_a_stream_is_streamed_or_refused(
    server: Serving, router: Upstream, fault: str
) -> None:
    status, headers, answer = server.chat(f"openrouter/fault/{fault}", TEXT, stream=True)
    if status == 200:
        assert headers["content-type"].startswith("text/event-stream")
        assert streamed_text(chunks_of(answer)) == TEXT
    else:
        assert status == 502
        assert "instead of a stream" in answer["error"]["message"]
    assert len(router.chats) == 1


BREAKS = ["cut", "cut-event", "cut-quietly?after=3", "cut?after=3&reset=true"]


@pytest.mark.parametrize("fault", BREAKS)
def test_a_stream_that_breaks_off_ends_with_an_error_event(server: Serving, router: Upstream, fault: str) -> None:
    status, _, answer = server.chat(f"openrouter/fault/{fault}", TEXT, stream=True)
    assert status == 200
    error = error_of(answer)
    assert error["metadata"]["provider"] == "openrouter"
    assert error["metadata"]["remedy"]
    assert TEXT.startswith(streamed_text(chunks_of(answer)))  # what came before stays


@pytest.mark.parametrize("route", ["openrouter", "openai"])
def test_an_error_in_mid_stream_reaches_the_caller_as_such(
    server: Serving, providers: Any, router: Upstream, route: str
) -> None:
    status, _, answer = server.chat(f"{route}/fault/error-mid", TEXT, stream=True)
    assert status == 200
    assert "disconnected unexpectedly" in error_of(answer)["message"]
    said = streamed_text(chunks_of(answer))
    assert said
    assert TEXT.startswith(said)


def test_the_ledger_has_streams_that_broke_as_errors(server: Serving, router: Upstream, shared_home: Path) -> None:
    faults = [*BREAKS, "error-mid"]
    answers = [server.chat(f"openrouter/fault/{fault}", TEXT, stream=True) for fault in faults]
    for found in ledger_of(shared_home, [headers["x-request-id"] for _, headers, _ in answers]):
        assert (found["outcome"], found["streamed"]) == ("error", 1)
        assert found["status"] >= 500
    assert found["status"] == 502  # the error's own
    assert found["first_token_ms"] is not None


def test_an_error_with_status_200_keeps_its_own_status(server: Serving, router: Upstream) -> None:
    status, _, answer = server.chat("openrouter/fault/error-200?code=403", TEXT)
    assert status == 403
    assert "Provider returned error" in answer["error"]["message"]


@pytest.mark.parametrize("streamed", [False, True])
def test_bytes_that_are_not_utf_8_do_not_reach_the_caller(server: Serving, router: Upstream, streamed: bool) -> None:
    connection = server.connection()
    data = json.dumps(body_of("openrouter/fault/bad-utf8", TEXT, stream=streamed)).encode()
    connection.request("POST", "/v1/chat/completions", data, {"content-type": "application/json"})
    response = connection.getresponse()
    said = response.read().decode()  # strictly
    if streamed and response.status == 200:
        assert [json.loads(event) for event in read_events(said.encode())[:-1]]
    else:
        assert json.loads(said)
    connection.close()


@pytest.mark.parametrize("streamed", [False, True])
def test_a_key_does_not_follow_a_redirect(
    server: Serving, router: Upstream, providers: Providers, streamed: bool
) -> None:
    with Standin(key=None) as elsewhere:
        router.next_fault("redirect", times=3, location=f"{elsewhere.url}/chat/completions")
        status, _, answer = server.chat("openrouter/openai/gpt-4.1-mini", TEXT, stream=streamed)
        assert status >= 500, answer
        assert not elsewhere.requests
    assert KEY not in json.dumps(answer)


def test_a_redirect_is_called_that_and_says_where_to(server: Serving, router: Upstream) -> None:
    error = server.chat("openrouter/fault/redirect", TEXT)[2]["error"]
    assert "redirect" in error["message"].lower()
    assert "example.org" in str(error)
    assert len(router.chats) == 1  # the same again would be told the same


STREAM = b"content-type: text/event-stream"
CHUNK = b'data: {"id": "a", "choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": null}]}\n\n'
END = b'data: {"id": "a", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"
ODD_EVENTS = {
    "null": b"data: null\n\n",
    "list": b"data: []\n\n",
    "number": b"data: 5\n\n",
    "string": b'data: "x"\n\n',
    "empty": b"data:\n\n",
    "empty object": b"data: {}\n\n",
    "choices null": b'data: {"choices": null}\n\n',
    "choices wrong": b'data: {"choices": [5, null, {}]}\n\n',
    "delta null": b'data: {"choices": [{"index": 0, "delta": null}]}\n\n',
    "usage wrong": b'data: {"choices": [], "usage": "much"}\n\n',
    "usage negative": b'data: {"choices": [], "usage": {"prompt_tokens": -5, "completion_tokens": 1e99, "cost": -1}}\n\n',
    "error null": b'data: {"choices": [], "error": null}\n\n',
    "deep": b'data: {"x": ' + b"[" * 50_000 + b"]" * 50_000 + b"}\n\n",
    "nan": b'data: {"choices": [], "usage": {"prompt_tokens": NaN, "cost": Infinity}}\n\n',
    "comment": b": " + b"x" * 100_000 + b"\n\n",
    "after done": DONE + CHUNK,
    "bom": b"\xef\xbb\xbf" + CHUNK,
}


@pytest.mark.parametrize("kind", ODD_EVENTS)
def test_an_odd_event_does_no_harm(server: Serving, canned: Canned, kind: str) -> None:
    """It is passed on or left out, or it is an error; the stream ends as streams do, and what is sent is JSON."""
    canned.says(200, CHUNK + ODD_EVENTS[kind] + END + DONE, STREAM)
    status, _, answer = server.chat("canned/x", stream=True)
    assert status == 200
    events = read_events(answer.encode())
    assert events[-1] == "[DONE]"
    assert json.loads(events[0])["choices"][0]["delta"]["content"] == "hi"


ODD_ANSWERS = {
    "null": b"null",
    "list": b"[]",
    "empty": b"",
    "no choices": b'{"id": "a"}',
    "choices null": b'{"choices": null}',
    "choices empty": b'{"choices": []}',
    "message null": b'{"choices": [{"message": null}]}',
    "deep": b"[" * 100_000,
    "usage wrong": b'{"choices": [{"message": {"content": "hi"}}], "usage": [1]}',
    "usage negative": b'{"choices": [{"message": {"content": "hi"}}], "usage": {"prompt_tokens": -1, "cost": -5}}',
    "usage huge": b'{"choices": [{"message": {"content": "hi"}}], "usage": {"prompt_tokens": 1e400, "cost": 1e400}}',
    "huge number": b'{"choices": [{"message": {"content": "hi"}}], "usage": {"prompt_tokens": ' + b"9" * 5000 + b"}}",
}


@pytest.mark.parametrize("kind", ODD_ANSWERS)
def test_an_odd_answer_does_no_harm(server: Serving, canned: Canned, kind: str) -> None:
    canned.says(200, ODD_ANSWERS[kind])
    status, headers, answer = server.chat("canned/x")
    assert headers["content-type"].startswith("application/json")
    assert status == 200 or (status >= 500 and answer["error"]["message"]), answer
