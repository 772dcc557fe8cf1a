"""Errors of providers: their status, reason and request id, with what to do next; repeated only where that is safe."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from callers import GPT, Canned, Stream, Upstream, body_of, chunks_of, row, rows, streamed_text, text_of, wait_for

from serving import Serving, point
from standin.errors import PROBLEMS
from standin.server import nobody
from standin.spec import check_response, needs_specs

WAIT = "?retry_after_s=100"  # longer than anyone waits: no retry
ASKED = dict.fromkeys(("408", "429", "502", "503", "529"), WAIT)


def problem_model(route: str, name: str) -> str:
    return f"{route}/fault/{name}{ASKED.get(name, '')}"


# What the caller is told


@needs_specs
@pytest.mark.parametrize(("route", "streamed"), [("openrouter", False), ("openrouter", True), ("openai", False)])
@pytest.mark.parametrize("name", PROBLEMS)
def test_an_error_keeps_the_providers_status_and_has_openais_shape(
    server: Serving, providers: Any, name: str, route: str, streamed: bool
) -> None:
    status, headers, answer = server.chat(problem_model(route, name), stream=streamed)
    assert status == PROBLEMS[name].status
    assert headers["content-type"].startswith("application/json")
    check_response("openai", "/chat/completions", "post", status, answer)
    assert PROBLEMS[name].message[:40] in answer["error"]["message"]
    assert answer["error"]["metadata"]["provider"] == route


@pytest.mark.parametrize("name", [name for name, problem in PROBLEMS.items() if "raw" in problem.metadata])
def test_an_error_keeps_the_providers_raw_reason(server: Serving, router: Upstream, name: str) -> None:
    answer = server.chat(problem_model("openrouter", name))[2]
    assert answer["error"]["metadata"]["raw"] == PROBLEMS[name].metadata["raw"]


@pytest.mark.parametrize("name", PROBLEMS)
def test_an_error_says_what_to_do_next(server: Serving, router: Upstream, name: str) -> None:
    error = server.chat(problem_model("openrouter", name))[2]["error"]
    assert len(error["metadata"]["remedy"]) > 15
    assert error["metadata"]["remedy"] in error["message"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("401", "chapeta keys set openrouter"),
        ("402", "credits"),
        ("402-max-tokens", "max_tokens"),
        ("404", "model"),
        ("context", "shorten"),
        ("413", "less"),
        ("429", "fallback"),
    ],
)
def test_the_remedy_fits_the_error(server: Serving, router: Upstream, name: str, words: str) -> None:
    remedy = server.chat(problem_model("openrouter", name))[2]["error"]["metadata"]["remedy"]
    assert words.lower() in remedy.lower()


def test_moderation_says_what_was_flagged(server: Serving, router: Upstream) -> None:
    error = server.chat("openrouter/fault/403")[2]["error"]
    assert "violence" in str(error)


def test_an_error_keeps_openais_code_and_param(server: Serving, openai: Upstream) -> None:
    error = server.chat("openai/fault/context")[2]["error"]
    assert (error["code"], error["param"]) == ("context_length_exceeded", "messages")


def test_the_ledger_has_the_error(server: Serving, router: Upstream, shared_home: Path) -> None:
    server.chat("openrouter/fault/402-max-tokens")
    found = wait_for(lambda: rows(shared_home, model="openrouter/fault/402-max-tokens"))[-1]
    assert (found["status"], found["outcome"], found["usd"]) == (402, "error", 0)


def test_every_error_has_our_request_id_in_a_header(server: Serving, router: Upstream, shared_home: Path) -> None:
    for model in (problem_model("openrouter", "429"), "openrouter/fault/402"):
        _, headers, _ = server.chat(model)
        assert row(shared_home, id=headers["x-request-id"])["outcome"] == "error"


@pytest.mark.parametrize("name", ["x-request-id", "request-id", "x-generation-id"])
def test_an_error_keeps_the_providers_request_id(server: Serving, canned: Canned, name: str) -> None:
    canned.says(500, b'{"error": {"message": "no", "code": 500}}', f"{name}: req_7Yz".encode())
    assert server.chat("canned/x")[2]["error"]["metadata"]["request_id"] == "req_7Yz"


ODD_ERRORS = {
    "empty": b"",
    "text": b"no",
    "null": b"null",
    "list": b"[]",
    "string": b'"no"',
    "object": b"{}",
    "error is text": b'{"error": "no"}',
    "error is null": b'{"error": null}',
    "error is empty": b'{"error": {}}',
    "wrong types": b'{"error": {"message": null, "code": {"a": 1}, "metadata": [1], "param": 1, "type": []}}',
    "detail": b'{"detail": [{"msg": "no"}]}',
    "not utf-8": b'{"error": {"message": "\xff\xfe"}}',
    "google": b'[{"error": {"code": 418, "message": "no", "status": "NOT_FOUND"}}]',
    "long": b"<html>" + b"x" * 200_000,
    "lone surrogate": b'{"error": {"message": "\\ud800"}}',
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("kind", ODD_ERRORS)
@needs_specs
def test_an_error_in_any_dress_becomes_one_of_openais_shape(server: Serving, canned: Canned, kind: str) -> None:
    canned.says(418, ODD_ERRORS[kind])
    status, _, found = server.chat("canned/x")
    assert status == 418
    check_response("openai", "/chat/completions", "post", status, found)
    assert len(str(found)) < 20_000


# Retry-After


@pytest.mark.parametrize(("name", "streamed"), [("429", False), ("503", True)])
def test_a_short_retry_after_is_waited_for(
    server: Serving, router: Upstream, shared_home: Path, name: str, streamed: bool
) -> None:
    router.next_fault(name, retry_after_s=1)
    began = time.monotonic()
    status, headers, answer = server.chat(GPT, "one two", stream=streamed)
    assert status == 200, answer
    assert (streamed_text(chunks_of(answer)) if streamed else text_of(answer)) == "one two"
    assert time.monotonic() - began >= 0.95
    assert router.chats[1].received_at - router.chats[0].received_at >= 0.95
    assert len(router.chats) == 2
    found = row(shared_home, id=headers["x-request-id"])
    assert (found["attempts"], found["outcome"], found["status"]) == (2, "ok", 200)


def test_a_long_retry_after_is_passed_on_at_once(server: Serving, router: Upstream) -> None:
    began = time.monotonic()
    status, headers, _ = server.chat("openrouter/fault/429?retry_after_s=100")
    assert (status, headers["retry-after"]) == (429, "100")
    assert time.monotonic() - began < 5
    assert len(router.chats) == 1


def test_a_provider_that_keeps_refusing_is_not_asked_forever(server: Serving, router: Upstream) -> None:
    status, headers, _ = server.chat("openrouter/fault/429?retry_after_s=0")
    assert status == 429
    assert 1 <= len(router.chats) <= 5
    assert "retry-after" in headers


@pytest.mark.parametrize("value", ["Sun, 22 Nov 2099 22:00:00 GMT", "soon", "-5", "1e400"])
def test_an_odd_retry_after_does_no_harm(server: Serving, canned: Canned, value: str) -> None:
    canned.says(429, b"{}", f"retry-after: {value}".encode())
    status, _, found = server.chat("canned/x")
    assert status == 429, found
    assert 1 <= len(canned.seen) <= 5


# What is not sent twice


@pytest.mark.parametrize(
    "name", ["400", "401", "402", "403", "404", "413", "422", "500", "cut", "cut-event", "garbage-json", "html"]
)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_call_that_the_provider_may_have_worked_on_is_not_sent_twice(
    server: Serving, router: Upstream, name: str, streamed: bool
) -> None:
    server.chat(f"openrouter/fault/{name}", stream=streamed)
    assert len(router.chats) == 1


def test_a_kept_connection_that_was_closed_is_replaced_without_an_error(server: Serving, router: Upstream) -> None:
    for number in range(5):
        assert server.chat(GPT, stream=number % 2 == 1)[0] == 200
        wait_for(lambda: router.standin.open_connections)
        router.close_idle()
    assert server.chat(GPT)[0] == 200
    assert len(router.chats) == 6


@pytest.mark.parametrize("fault", ["close-idle", "close-said", "http10"])
def test_a_provider_may_close_after_each_answer(server: Serving, router: Upstream, fault: str) -> None:
    for _ in range(5):
        router.next_fault(fault)
        status, _, answer = server.chat(GPT, "one two")
        assert status == 200, answer
        assert text_of(answer) == "one two"
    assert len(router.chats) == 5


def test_a_provider_that_closes_on_every_request_is_an_error_soon(server: Serving, router: Upstream) -> None:
    status, _, answer = server.chat("openrouter/fault/close")
    assert status in (502, 503)
    assert answer["error"]["message"]
    assert len(router.chats) <= 2


@needs_specs
def test_an_address_where_nobody_listens_is_502_with_a_remedy(server: Serving, shared_home: Path) -> None:
    with nobody() as url:
        point(shared_home, "nobody", url, needs_key=False)  # the running server finds it
        status, _, answer = wait_for(lambda: found if (found := server.chat("nobody/x"))[0] >= 500 else None)
    assert status in (502, 503)
    check_response("openai", "/chat/completions", "post", status, answer)
    assert url.removesuffix("/v1") in answer["error"]["message"]
    assert answer["error"]["metadata"]["remedy"]


def test_a_name_that_leads_nowhere_is_502_with_a_remedy(server: Serving, shared_home: Path) -> None:
    point(shared_home, "nowhere", "http://no-such-host.invalid/v1", needs_key=False)
    status, _, answer = wait_for(lambda: found if (found := server.chat("nowhere/x"))[0] >= 500 else None)
    assert status in (502, 503)
    assert "no-such-host.invalid" in answer["error"]["message"]
    assert answer["error"]["metadata"]["remedy"]


def test_embeddings_have_the_same_errors(server: Serving, router: Upstream) -> None:
    status, headers, answer = server.post(
        "/embeddings", {"model": "openrouter/fault/429?retry_after_s=100", "input": "x"}
    )
    assert (status, headers["retry-after"]) == (429, "100")
    assert answer["error"]["metadata"]["raw"] == PROBLEMS["429"].metadata["raw"]


def test_an_error_of_a_stream_comes_before_any_event(server: Serving, router: Upstream) -> None:
    with Stream(server, body_of("openrouter/fault/402")) as stream:
        assert stream.response.status == 402
