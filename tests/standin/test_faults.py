"""The stand-in's faults, seen from a bare socket: a stall stalls, a cut cuts, and what is odd is odd on the wire."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import logging
import socket
import struct
import threading
import time
import zlib
from collections.abc import Iterator

import pytest

from .client import Json, ask, call, chat, on, read_all, read_until, send
from .errors import PROBLEMS
from .faults import FAULTS, Fault
from .server import KEY, Standin
from .spec import check_response, needs_specs, read_events

WORDS = "eins zwei drei vier fünf sechs"


@pytest.fixture
def upstream() -> Iterator[Standin]:
    with Standin() as running:
        yield running


@pytest.fixture(params=["openrouter", "openai"])
def either(request: pytest.FixtureRequest) -> Iterator[Standin]:
    with Standin(dialect=request.param) as running:
        yield running


def body_of(raw: bytes) -> bytes:
    """The body of one raw answer, taken out of its chunks as far as they came."""
    head, _, rest = raw.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" not in head:
        return rest
    found = b""
    while b"\r\n" in rest:
        size, _, rest = rest.partition(b"\r\n")
        found += rest[: int(size, 16)]
        rest = rest[int(size, 16) + 2 :]
    return found


# Errors by status


@needs_specs
@pytest.mark.parametrize("name", PROBLEMS)
def test_errors_fit_the_published_description(either: Standin, name: str) -> None:
    got = ask(either, chat(model=f"fault/{name}", stream=True))
    assert got.status == PROBLEMS[name].status
    check_response(either.dialect, "/chat/completions", "post", got.status, got.body)
    if either.dialect == "openrouter":
        assert got.json["error"]["code"] == got.status


def test_errors_say_what_they_are_known_for(upstream: Standin) -> None:
    limited = ask(upstream, chat(model="fault/429?retry_after_s=7"))
    assert limited.headers["retry-after"] == "7"
    assert limited.json["error"]["metadata"]["provider_name"] == "Together"
    assert "can only afford 1234" in ask(upstream, chat(model="fault/402-max-tokens")).json["error"]["message"]
    assert ask(upstream, chat(model="fault/403")).json["error"]["metadata"]["reasons"] == ["violence"]
    assert "maximum context length is 8192" in ask(upstream, chat(model="fault/context")).json["error"]["message"]
    with Standin(dialect="openai") as openai:
        error = ask(openai, chat(model="fault/context")).json["error"]
    assert (error["code"], error["param"], error["type"]) == (
        "context_length_exceeded",
        "messages",
        "invalid_request_error",
    )


def test_faults_come_in_the_order_asked_for_and_then_stop(upstream: Standin) -> None:
    upstream.faults("503", "", "429")
    upstream.next_fault("500", path="/key")
    upstream.next_fault("502", times=2, message="The upstream is tired")
    assert call(upstream, "GET", "/key").status == 500
    answers = [ask(upstream, chat()) for _ in range(6)]
    assert [got.status for got in answers] == [503, 200, 429, 502, 502, 200]
    assert answers[3].json["error"]["message"] == "The upstream is tired"
    assert [record.fault for record in upstream.chats] == ["503", "", "429", "502", "502", ""]
    upstream.next_fault("500")
    upstream.clear_faults()
    assert ask(upstream, chat()).status == 200


def test_an_unknown_fault_is_refused_at_once(upstream: Standin) -> None:
    with pytest.raises(ValueError, match="no fault 'flood'"):
        upstream.next_fault("flood")
    assert Fault.of_model("openai/gpt-4.1-mini") is None
    assert Fault.of_model("fault/slow?delay_s=0.5") == Fault("slow", {"delay_s": 0.5})


@pytest.mark.parametrize("name", sorted(set(FAULTS) - {"endless"}))  # that one has no end to wait for
@pytest.mark.parametrize("streamed", [False, True])
def test_every_fault_plays_with_and_without_a_stream(upstream: Standin, name: str, streamed: bool) -> None:
    options: Json = {"delay_s": 0.001} if name == "slow" else {}
    upstream.next_fault(name, **options)
    line = send(upstream, chat(WORDS, stream=streamed))
    record = upstream.wait_for_chat()
    if name.startswith("stall"):
        upstream.wait_for(lambda: record.stalled)
        upstream.release()
    reader = threading.Thread(target=lambda: swallow(line), daemon=True)
    reader.start()
    upstream.wait_for(lambda: record.finished)
    assert record.fault == name
    assert not record.disconnected
    with contextlib.suppress(OSError):  # already closed from the other side
        line.shutdown(socket.SHUT_RDWR)
    reader.join(5)
    line.close()


def swallow(line: socket.socket) -> None:
    with contextlib.suppress(OSError):
        read_all(line)


# Silence


@pytest.mark.parametrize("name", ["stall", "stall-headers", "stall-mid"])
def test_a_stall_stalls_until_released(upstream: Standin, name: str) -> None:
    seen = {"stall": b"", "stall-headers": b"\r\n\r\n", "stall-mid": b" zwei"}[name]
    options: Json = {"after": 4} if name == "stall-mid" else {}
    upstream.next_fault(name, **options)
    with send(upstream, chat(WORDS, stream=True)) as line:
        record = upstream.wait_for_chat()
        upstream.wait_for(lambda: record.stalled)
        before = read_until(line, seen) if seen else b""
        assert b" drei" not in before
        line.settimeout(0.1)
        with pytest.raises(TimeoutError):
            while True:
                before += line.recv(65536)  # at most what was under way
        assert b" drei" not in before
        assert not record.finished
        assert record.first_byte_at is None or name != "stall"
        upstream.release()
        line.settimeout(5)
        assert b"[DONE]" in read_until(line, b"[DONE]")
    assert upstream.wait_for(lambda: record.finished)


@pytest.mark.parametrize("name", ["stall", "stall-mid"])
def test_a_client_that_hangs_up_is_noticed_during_a_stall(upstream: Standin, name: str) -> None:
    upstream.next_fault(name)
    began = time.monotonic()
    with send(upstream, chat(stream=True)):
        record = upstream.wait_for_chat()
        upstream.wait_for(lambda: record.stalled)
        assert not record.disconnected
    upstream.wait_for(lambda: record.disconnected)
    assert record.disconnected_at is not None
    assert began < record.disconnected_at < time.monotonic()
    assert not record.finished


def test_slow_takes_its_time(upstream: Standin) -> None:
    began = time.monotonic()
    got = ask(upstream, chat("a b c", stream=True, model="fault/slow?delay_s=0.02"))
    assert time.monotonic() - began >= 8 * 0.02  # two comments, three words, the end, the usage, [DONE]
    assert got.body.endswith(b"data: [DONE]\n\n")


# Broken connections


def test_close_comes_before_any_byte(upstream: Standin) -> None:
    upstream.next_fault("close")
    with send(upstream, chat()) as line:
        assert read_all(line) == b""
    upstream.next_fault("close", reset=True)
    with send(upstream, chat()) as line, pytest.raises(ConnectionResetError):
        read_all(line)


def test_a_cut_leaves_the_chunked_encoding_without_its_end(upstream: Standin) -> None:
    upstream.next_fault("cut", after=4)
    with send(upstream, chat(WORDS, stream=True)) as line:
        raw = read_all(line)
    assert not raw.endswith(b"0\r\n\r\n")
    body = body_of(raw)
    assert body.endswith(b"\n\n")
    assert "zwei" in body.decode()
    assert "drei" not in body.decode()
    with pytest.raises(http.client.IncompleteRead):
        ask(upstream, chat(WORDS, stream=True, model="fault/cut"))
    with pytest.raises(http.client.IncompleteRead):
        ask(upstream, chat(model="fault/cut"))


def test_a_cut_in_an_event_leaves_half_of_it(upstream: Standin) -> None:
    upstream.next_fault("cut-event", after=4)
    with send(upstream, chat(WORDS, stream=True)) as line:
        body = body_of(read_all(line))
    assert not body.endswith(b"\n\n")
    assert body.rpartition(b"\n\n")[2].startswith(b'data: {"id":"gen-')


def test_a_quiet_cut_ends_the_encoding_but_not_the_stream(upstream: Standin) -> None:
    got = ask(upstream, chat(WORDS, stream=True, model="fault/cut-quietly"))
    assert got.body.startswith(b": OPENROUTER PROCESSING\n\n")
    assert b"[DONE]" not in got.body


def test_kept_connections_are_closed_when_asked_or_unasked(upstream: Standin) -> None:
    line = http.client.HTTPConnection("127.0.0.1", upstream.port, timeout=5)
    assert on(line, upstream, "POST", "/chat/completions", chat()).status == 200
    assert upstream.wait_for(upstream.close_idle) == 1
    assert line.sock.recv(1) == b""
    line.close()
    upstream.next_fault("close-idle")
    got = on(line, upstream, "POST", "/chat/completions", chat())
    assert (got.status, got.headers.get("connection")) == (200, None)
    assert line.sock.recv(1) == b""
    line.close()
    upstream.next_fault("close-said")
    assert on(line, upstream, "POST", "/chat/completions", chat()).headers["connection"] == "close"


def test_a_running_call_is_not_idle(upstream: Standin) -> None:
    upstream.next_fault("stall")
    with send(upstream, chat()) as line:
        record = upstream.wait_for_chat()
        upstream.wait_for(lambda: record.stalled)
        assert upstream.close_idle() == 0
        upstream.release()
        assert b"one two three" in read_until(line, b"}}}")


def test_lengths_are_wrong_in_both_directions(upstream: Standin) -> None:
    with pytest.raises(http.client.IncompleteRead):
        ask(upstream, chat(model="fault/length"))
    short = ask(upstream, chat(model="fault/length?off=-10"))
    with pytest.raises(ValueError, match="Expecting"):
        _ = short.json


def test_http10_has_neither_length_nor_chunks(upstream: Standin) -> None:
    upstream.next_fault("http10")
    with send(upstream, chat(stream=True)) as line:
        raw = read_all(line)
    head, _, body = raw.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200 OK\r\n")
    assert b"length" not in head
    assert b"chunked" not in head
    assert read_events(body)[-1] == "[DONE]"


def test_continue_comes_unasked_or_when_expected(upstream: Standin) -> None:
    upstream.next_fault("continue")
    with send(upstream, chat()) as line:
        raw = read_until(line, b"one two three")
    assert raw.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    data = json.dumps(chat("waiting")).encode()
    with socket.create_connection(("127.0.0.1", upstream.port), timeout=5) as line:
        head = f"POST /api/v1/chat/completions HTTP/1.1\r\ncontent-length: {len(data)}\r\nexpect: 100-continue\r\n"
        line.sendall(f"{head}authorization: Bearer {KEY}\r\n\r\n".encode())
        assert read_until(line, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        line.sendall(data)
        assert b"waiting" in read_until(line, b"}}}")


def test_an_endless_stream_waits_for_a_reader_that_does_not_read(upstream: Standin) -> None:
    upstream.next_fault("endless")
    with send(upstream, chat(stream=True)) as line:
        record = upstream.wait_for_chat()
        upstream.wait_for(lambda: record.bytes_sent > 100_000 and record.quiet_s > 0.1)
        stuck = record.bytes_sent
        for _ in range(100):
            line.recv(1 << 20)
        upstream.wait_for(lambda: record.bytes_sent > stuck)
        assert not record.finished
    upstream.wait_for(lambda: record.disconnected)


# What is said


def test_garbage_is_not_http(upstream: Standin) -> None:
    with pytest.raises(http.client.BadStatusLine):
        ask(upstream, chat(model="fault/garbage"))


def test_garbage_instead_of_json(upstream: Standin) -> None:
    got = ask(upstream, chat(model="fault/garbage-json"))
    assert (got.status, got.headers["content-type"]) == (200, "application/json")
    streamed = read_events(ask(upstream, chat(model="fault/garbage-json", stream=True)).body)
    for text in (got.body.decode(), streamed[0]):
        with pytest.raises(ValueError, match="Unterminated"):
            json.loads(text)


@pytest.mark.parametrize("streamed", [False, True])
def test_bad_utf8_is_inside_of_a_good_answer(upstream: Standin, streamed: bool) -> None:
    body = ask(upstream, chat(model="fault/bad-utf8", stream=streamed)).body
    with pytest.raises(UnicodeDecodeError):
        body.decode()
    assert b'"content":"\xff\xc3\x28one' in body


def test_the_wrong_thing_comes_with_status_200(upstream: Standin) -> None:
    page = ask(upstream, chat(model="fault/html"))
    assert page.headers["content-type"].startswith("text/html")
    assert page.body.startswith(b"<!DOCTYPE html>")
    whole = ask(upstream, chat(model="fault/json-for-stream", stream=True))
    assert whole.headers["content-type"] == "application/json"
    assert whole.json["choices"][0]["message"]["content"] == "one two three"
    named = ask(upstream, chat(model="fault/type?type=application/json", stream=True))
    assert named.headers["content-type"] == "application/json"
    assert read_events(named.body)[-1] == "[DONE]"


def test_a_redirect_points_elsewhere(upstream: Standin) -> None:
    got = ask(upstream, chat(model="fault/redirect?location=http://127.0.0.1:1/x"))
    assert (got.status, got.headers["location"]) == (307, "http://127.0.0.1:1/x")


def test_the_callers_key_comes_back_in_body_and_headers(either: Standin) -> None:
    got = ask(either, chat(model="fault/echo-key"))
    assert got.status == 401
    assert KEY in got.body.decode()
    assert KEY in got.headers["x-request-id"]


@needs_specs
def test_an_error_in_mid_stream_fits_the_published_description(upstream: Standin) -> None:
    got = ask(upstream, chat(WORDS, stream=True, model="fault/error-mid?after=4"))
    chunks = [json.loads(data) for data in read_events(got.body)[:-1]]
    for chunk in chunks:
        check_response("openrouter", "/chat/completions", "post", 200, chunk, "text/event-stream")
    assert got.status == 200
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, "error"]
    assert chunks[-1]["error"]["code"] == 502


@pytest.mark.parametrize("streamed", [False, True])
def test_an_error_alone_comes_with_status_200(either: Standin, streamed: bool) -> None:
    got = ask(either, chat(model="fault/error-200", stream=streamed))
    value = json.loads(read_events(got.body)[0]) if streamed else got.json
    assert got.status == 200
    assert value["error"]["message"] == "Provider returned error"
    assert "choices" not in value


# Odd, but to be understood


ODD = {
    "drip": b"data: {",
    "line-ends": b"\r\n\r\n",
    "line-ends?ends=%0D": b"\r\r",
    "no-space": b"data:{",
    "fields": b"event: message\nid: 1\n",
    "huge?size=100": b"x" * 100,
    "no-done": b"data: {",
}


@pytest.mark.parametrize("fault", ODD)
def test_odd_streams_mean_the_same(upstream: Standin, fault: str) -> None:
    body = ask(upstream, chat(WORDS, stream=True, model=f"fault/{fault}")).body
    events = read_events(body)
    assert (events[-1] == "[DONE]") == (fault != "no-done")
    chunks = [json.loads(data) for data in events if data != "[DONE]"]
    told = "".join(part["delta"].get("content", "") for chunk in chunks for part in chunk["choices"])
    assert told == ("x" * 100 + WORDS if fault.startswith("huge") else WORDS)
    assert ODD[fault] in body
    assert b"\n" not in body or fault != "line-ends?ends=%0D"


def test_a_drip_splits_characters_and_events(upstream: Standin) -> None:
    upstream.next_fault("drip")
    with send(upstream, chat("fünf", stream=True)) as line:
        raw = read_until(line, b"\r\n0\r\n\r\n")
    assert b"1\r\n\xc3\r\n1\r\n\xbc\r\n" in raw


def test_a_huge_event_is_huge(upstream: Standin) -> None:
    for streamed in (False, True):
        body = ask(upstream, chat(model="fault/huge", stream=streamed)).body
        assert max(len(line) for line in body.split(b"\n")) > 4 << 20


@pytest.mark.parametrize("streamed", [False, True])
def test_gzip_comes_unasked(upstream: Standin, streamed: bool) -> None:
    got = ask(upstream, chat(model="fault/gzip", stream=streamed))
    assert got.headers["content-encoding"] == "gzip"
    assert b"three" in gzip.decompress(got.body)


def test_a_gzipped_stream_can_be_read_as_it_comes(upstream: Standin) -> None:
    upstream.next_fault("gzip")
    with send(upstream, chat(WORDS, stream=True)) as line:
        body = body_of(read_until(line, b"\r\n0\r\n\r\n"))
    assert b"eins" in zlib.decompressobj(31).decompress(body[: len(body) // 2])


def test_what_is_not_http_is_answered_400(upstream: Standin) -> None:
    with socket.create_connection(("127.0.0.1", upstream.port), timeout=5) as line:
        line.sendall(b"HELO\r\n\r\n")
        assert read_all(line).startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert upstream.requests == ()


def test_it_stops_cleanly_with_calls_and_connections_open(caplog: pytest.LogCaptureFixture) -> None:
    with Standin() as upstream:
        upstream.faults("stall", "endless")
        lines = [send(upstream, chat()) for _ in range(2)]
        lines.append(socket.create_connection(("127.0.0.1", upstream.port), timeout=5))
        upstream.wait_for(lambda: upstream.open_connections == 3 and len(upstream.chats) == 2)
        upstream.wait_for(lambda: upstream.chats[0].stalled)
    for line in lines:
        swallow(line)
        line.close()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_a_mistake_of_its_own_fails_the_test() -> None:
    with pytest.raises(AssertionError, match="stand-in itself"), Standin() as upstream:
        upstream.next_fault("slow", delay="wrong option")
        with send(upstream, chat()) as line:
            assert read_all(line) == b""


def test_many_streams_at_once(upstream: Standin) -> None:
    lines = [send(upstream, chat(WORDS, stream=True, model="fault/stall-mid")) for _ in range(200)]
    upstream.wait_for(lambda: sum(record.stalled for record in upstream.requests) == 200)
    assert upstream.open_connections == 200
    upstream.release()
    for line in lines:
        assert b"[DONE]" in read_until(line, b"[DONE]")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        line.close()
    upstream.wait_for(lambda: upstream.open_connections == 0)
