"""A provider's key appears nowhere: in no answer, log, file or process list, whatever the provider does with it."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from callers import (
    GPT,
    OPENAI_KEY,
    TOGETHER_KEY,
    Canned,
    Providers,
    Upstream,
    body_of,
    children,
    command,
    command_line,
    issue,
    raw_call,
    text_of,
)

from serving import Serving, point
from standin.server import KEY, Standin

KEYS = (KEY, OPENAI_KEY, TOGETHER_KEY)
STREAM = b"content-type: text/event-stream"
CHUNK = b'data: {"id": "a", "choices": [{"index": 0, "delta": {"content": "%b"}, "finish_reason": null}]}\n\n'


@pytest.fixture(scope="module")
def own_home(new_home: Any, providers: Providers) -> Path:
    home: Path = new_home()
    providers.point(home)
    return home


@pytest.fixture(scope="module")
def running(own_home: Path, providers: Providers) -> Iterator[Serving]:
    """A server that keeps what it hears, so that there is much to search."""
    issue(own_home, "bob")
    with Standin("another key", "openai") as strict:
        point(own_home, "strict", strict.url)
        point(own_home, "canned", providers.canned.url)
        given = {"STRICT_API_KEY": OPENAI_KEY, "CANNED_API_KEY": KEY, **providers.variables}
        with Serving(own_home, "--keep-content", **given) as server:
            yield server


def whole(server: Serving, path: str, body: Any) -> bytes:
    """An answer with its status line and headers, as bytes."""
    data = json.dumps(body).encode()
    lines = [f"POST /v1{path} HTTP/1.1", "host: 127.0.0.1", "content-type: application/json", "connection: close"]
    status, headers, answer = raw_call(
        server, "\r\n".join([*lines, f"content-length: {len(data)}"]).encode() + b"\r\n\r\n" + data
    )
    return f"{status} {headers}".encode() + answer


def without_keys(said: bytes | str) -> None:
    text = said if isinstance(said, bytes) else said.encode()
    for key in KEYS:
        for dress in (key, key[8:-8], base64.b64encode(key.encode()).decode()):
            assert dress.encode() not in text


STATUSES = (400, 401, 402, 403, 404, 422, 500)
CARRIES = [
    *itertools.product(("openrouter", "openai", "together"), STATUSES, (False, True)),
    *(("openrouter", 200, False), ("openai", 429, True)),  # tried three times: slow
]


@pytest.mark.parametrize(("route", "status", "streamed"), CARRIES)
def test_an_answer_that_carries_the_key_is_passed_on_without_it(
    running: Serving, providers: Providers, route: str, status: int, streamed: bool
) -> None:
    body = body_of(f"{route}/fault/echo-key?status={status}", stream=streamed)
    without_keys(whole(running, "/chat/completions", body))
    without_keys(running.err)


def test_a_key_that_the_provider_refuses_is_401_and_not_shown(running: Serving) -> None:
    """OpenAI itself says its first eight and last four characters."""
    answer = whole(running, "/chat/completions", body_of("strict/gpt-4.1-mini"))
    without_keys(answer)
    assert answer.startswith(b"401")
    assert b"chapeta keys set strict" in answer


def test_a_good_answer_that_carries_the_key_is_masked(running: Serving, router: Upstream) -> None:
    router.say(f"The key is {KEY}.")
    without_keys(whole(running, "/chat/completions", body_of(GPT)))
    without_keys(whole(running, "/embeddings", {"model": "openrouter/openai/text-embedding-3-small", "input": "x"}))


@pytest.mark.parametrize("streamed", [False, True])
def test_a_stream_that_carries_the_key_is_masked(running: Serving, canned: Canned, streamed: bool) -> None:
    event = CHUNK % f"The key is {KEY}.".encode()
    canned.says(200, CHUNK % b"hi" + event + CHUNK % b"bye" + b"data: [DONE]\n\n", STREAM)
    answer = whole(running, "/chat/completions", body_of("canned/x", stream=streamed))
    assert KEY.encode() in canned.seen[0]
    assert not streamed or (b"hi" in answer and b"bye" in answer)
    without_keys(answer)


def test_an_odd_header_of_the_provider_does_not_carry_it(running: Serving, canned: Canned) -> None:
    for name in ("x-request-id", "request-id", "x-generation-id", "retry-after", "content-type"):
        canned.says(400, b'{"error": {"message": "no"}}', f"{name}: {KEY}".encode())
        without_keys(whole(running, "/chat/completions", body_of("canned/x")))


def test_mistakes_of_the_caller_do_not_show_it(running: Serving) -> None:
    for body in ({}, body_of("nope"), body_of("mine/x"), {**body_of(GPT), "messages": 5}):
        without_keys(whole(running, "/chat/completions", body))
    without_keys(json.dumps(running.get("/models")[2]))
    without_keys(json.dumps(running.get("/models/openrouter/x")[2]))


def test_the_process_list_does_not_show_it(running: Serving, embedded_model: Path) -> None:
    assert text_of(running.chat("smollm2-135m", max_tokens=2)[2]) is not None  # the engine's process runs, too
    seen = 0
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes()
        except OSError:
            continue
        without_keys(words)
        seen += b"chapeta" in words
    assert seen >= 2


def test_the_engines_process_does_not_have_it(running: Serving) -> None:
    running.chat("smollm2-135m", max_tokens=2)
    engines = [pid for pid in children(running.process.pid) if "engine" in command_line(pid)]
    assert engines
    for child in engines:
        without_keys(Path(f"/proc/{child}/environ").read_bytes())


def test_in_the_end_no_file_and_no_report_has_it(running: Serving, own_home: Path) -> None:
    """The last test: the server has stopped by then, so that all has been written."""
    running.stop()
    without_keys(running.err)
    for by in ("model", "key", "day", "provider"):
        code, out, err = command(own_home, "usage", "--by", by, "--json")
        assert code == 0
        without_keys(out + err)
    files = [file for file in own_home.rglob("*") if file.is_file() and "models" not in file.parts]
    assert own_home / "chapeta.sqlite" in files
    for file in files:
        without_keys(file.read_bytes())
