"""Streams: forwarded as they come, cancelled with their caller, flat in memory before a slow one, many at a time."""

from __future__ import annotations

import itertools
import json
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from callers import (
    GPT,
    MOST_WAIT_S,
    Json,
    Stream,
    Upstream,
    at_once,
    body_of,
    chunks_of,
    dial,
    row,
    rss_mb,
    streamed_text,
    wait_for,
)

from serving import Serving
from standin.spec import read_events

OPENAI = "openai/gpt-4.1-mini"
MANY = 500
SLACK_MB = 40  # what a process may grow by for other reasons
MOST_UNREAD_MB = 24  # what kernel buffers on the way may hold


def test_comments_of_the_provider_are_not_passed_on(server: Serving, router: Upstream) -> None:
    answer = server.chat(GPT, stream=True)[2]
    assert "OPENROUTER PROCESSING" not in answer
    assert all(line.startswith("data: ") for line in answer.split("\n") if line)


def test_chunks_arrive_as_they_are_sent(server: Serving, router: Upstream) -> None:
    """The first event comes while the provider still waits, and so does each of the others."""
    router.next_fault("stall-mid", after=3)  # a comment, an event, a comment
    with Stream(server, body_of(GPT, "one two three")) as stream:
        assert json.loads(stream.event())["choices"][0]["delta"]["content"] == "one"
        assert not router.chats[0].finished
        wait_for(lambda: router.chats[0].stalled)
        router.release()
        assert list(stream.events())[-1] == "[DONE]"


def test_slow_chunks_come_one_by_one(server: Serving, router: Upstream) -> None:
    router.next_fault("slow", delay_s=0.1)
    with Stream(server, body_of(GPT, "one two three four")) as stream:
        times = [time.monotonic() for event in stream.events() if '"content":' in event]
    assert len(times) == 4
    assert all(later - earlier > 0.04 for earlier, later in itertools.pairwise(times))


def test_usage_comes_from_the_last_chunk(server: Serving, router: Upstream, shared_home: Path) -> None:
    _, headers, answer = server.chat(GPT, "one two", stream=True)
    usage = chunks_of(answer)[-1]["usage"]
    found = row(shared_home, id=headers["x-request-id"])
    assert (found["tokens_in"], found["tokens_out"]) == (usage["prompt_tokens"], usage["completion_tokens"])
    assert found["usd"] == usage["cost"] > 0
    assert 0 < found["first_token_ms"] <= found["latency_ms"]


# stream_options: the provider is asked for usage, the caller gets it if it asked


def test_usage_is_asked_for_but_kept_from_a_caller_who_did_not(
    server: Serving, openai: Upstream, shared_home: Path
) -> None:
    _, headers, answer = server.chat(OPENAI, "one two", stream=True)
    assert openai.last["stream_options"] == {"include_usage": True}
    chunks = chunks_of(answer)
    assert all(chunk["choices"] for chunk in chunks)
    assert not any(chunk.get("usage") for chunk in chunks)
    assert row(shared_home, id=headers["x-request-id"])["tokens_out"] == 2


def test_usage_is_shown_to_a_caller_who_asked(server: Serving, openai: Upstream) -> None:
    answer = server.chat(OPENAI, "one two", stream=True, stream_options={"include_usage": True})[2]
    last = chunks_of(answer)[-1]
    assert (last["choices"], last["usage"]["completion_tokens"]) == ([], 2)


def test_other_stream_options_are_kept(server: Serving, openai: Upstream) -> None:
    answer = server.chat(OPENAI, stream=True, stream_options={"include_obfuscation": False})[2]
    assert openai.last["stream_options"] == {"include_obfuscation": False, "include_usage": True}
    assert not any(chunk.get("usage") for chunk in chunks_of(answer))


@pytest.mark.parametrize("options", [5, "x", [], {"include_usage": "yes"}, None])
def test_odd_stream_options_do_no_harm(server: Serving, openai: Upstream, options: Any) -> None:
    status, _, answer = server.chat(OPENAI, stream=True, stream_options=options)
    assert (status == 200 and chunks_of(answer)) or 400 <= status < 500


@pytest.mark.parametrize("value", [None, 0, 1, "true", [], {}])
def test_an_odd_stream_field_does_no_harm(server: Serving, router: Upstream, value: Any) -> None:
    status, _, answer = server.post("/chat/completions", {**body_of(GPT), "stream": value})
    assert status in (200, 400), answer
    if status == 200 and not isinstance(answer, str):
        assert answer["object"] == "chat.completion"


# A caller that goes away


@pytest.mark.parametrize("fault", ["stall", "stall-headers", "stall-mid"])
def test_a_streaming_caller_that_goes_away_cancels_the_call(
    server: Serving, router: Upstream, shared_home: Path, fault: str
) -> None:
    router.next_fault(fault)
    line = dial(server)
    send(line, body_of(f"{GPT}:gone-{fault}", stream=True))
    wait_for(lambda: router.chats and router.chats[0].stalled)
    line.close()
    wait_for(lambda: router.chats[0].disconnected)
    found = row(shared_home, model=f"{GPT}:gone-{fault}")
    assert (found["outcome"], found["attempts"]) == ("cancelled", 1)


def test_a_waiting_caller_that_goes_away_cancels_the_call(server: Serving, router: Upstream, shared_home: Path) -> None:
    router.next_fault("stall")
    line = dial(server)
    send(line, body_of(f"{GPT}:gone"))
    wait_for(lambda: router.chats and router.chats[0].stalled)
    line.close()
    wait_for(lambda: router.chats[0].disconnected)
    assert row(shared_home, model=f"{GPT}:gone")["outcome"] == "cancelled"


def test_a_caller_that_goes_away_between_attempts_is_not_retried_for(
    server: Serving, router: Upstream, shared_home: Path
) -> None:
    router.next_fault("429", retry_after_s=2)
    line = dial(server)
    send(line, body_of(f"{GPT}:gone-between"))
    router.wait_for_chat()
    line.close()
    assert row(shared_home, model=f"{GPT}:gone-between")["outcome"] == "cancelled"
    assert len(router.chats) == 1


def test_a_caller_that_stops_reading_early_cancels_an_endless_stream(server: Serving, router: Upstream) -> None:
    with Stream(server, body_of("openrouter/fault/endless")) as stream:
        for _ in range(100):
            assert stream.event()
        record = router.chats[0]
    wait_for(lambda: record.disconnected)


# A caller that reads slowly


def test_memory_stays_flat_before_a_slow_reader(server: Serving, router: Upstream) -> None:
    server.chat(GPT, stream=True)
    before_mb = rss_mb(server)
    with Stream(server, body_of("openrouter/fault/endless?size=8192")) as stream:
        assert stream.event()
        record = router.chats[-1]
        wait_for(lambda: record.bytes_sent and record.quiet_s > 0.5)  # nothing more gets through
        assert record.bytes_sent < MOST_UNREAD_MB << 20
        assert rss_mb(server) - before_mb < SLACK_MB
        sent = record.bytes_sent
        for _ in range(2 * sent // 8192):  # it goes on when the reader does
            assert stream.event()
        assert record.bytes_sent > sent
        assert rss_mb(server) - before_mb < SLACK_MB
    wait_for(lambda: record.disconnected)


def test_slow_readers_do_not_hold_up_others(server: Serving, router: Upstream) -> None:
    streams = [Stream(server, body_of("openrouter/fault/endless")) for _ in range(5)]
    wait_for(lambda: all(chat.bytes_sent and chat.quiet_s > 0.2 for chat in router.chats))
    began = time.monotonic()
    assert server.chat(GPT)[0] == 200
    assert time.monotonic() - began < 5
    for stream in streams:
        stream.hang_up()
    wait_for(lambda: all(chat.disconnected for chat in router.chats[:5]))


# Many


def test_500_streams_at_once_without_an_error(server: Serving, router: Upstream) -> None:
    router.next_fault("stall-mid", times=MANY)
    text = "one two three four five"
    release = Releaser(router, MANY)
    answers = at_once(server, [body_of(GPT, text, stream=True) for _ in range(MANY)])
    assert release.seen == MANY  # all of them were open at the same time
    assert {status for status, _ in answers} == {200}
    for _, answer in answers:
        events = read_events(answer)
        assert events[-1] == "[DONE]"
        assert streamed_text([json.loads(event) for event in events[:-1]]) == text
        assert b'"error"' not in answer


def test_many_calls_at_once_each_get_their_own_answer(server: Serving, router: Upstream) -> None:
    bodies = [body_of(GPT, f"question {number}", stream=number % 2 == 1) for number in range(200)]
    for number, (status, answer) in enumerate(at_once(server, bodies)):
        assert status == 200
        if number % 2:
            said = streamed_text([json.loads(event) for event in read_events(answer)[:-1]])
        else:
            said = json.loads(answer)["choices"][0]["message"]["content"]
        assert said == f"question {number}"


class Releaser:
    """Lets stalled calls go on once there are so many of them."""

    def __init__(self, upstream: Upstream, number: int) -> None:
        self.seen = 0
        self._upstream, self._number = upstream, number
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        deadline = time.monotonic() + 2 * MOST_WAIT_S
        while self.seen < self._number and time.monotonic() < deadline:
            self.seen = sum(chat.stalled for chat in self._upstream.chats)
            time.sleep(0.02)
        self._upstream.release()


def send(line: socket.socket, body: Json) -> None:
    data = json.dumps(body).encode()
    lines = ["POST /v1/chat/completions HTTP/1.1", "host: 127.0.0.1", "content-type: application/json"]
    lines.append(f"content-length: {len(data)}")
    line.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
