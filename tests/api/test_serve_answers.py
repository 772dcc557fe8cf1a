"""Answers, whole and streamed: in the shape that OpenAI publishes, with whatever caller and provider say left as it is."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest
from callers import CLAUDE, GPT, Json, Stream, Upstream, body_of, chunks_of, streamed_text, text_of

from serving import Serving
from standin.answers import count_prompt
from standin.spec import check_response, check_stream, needs_specs

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a place.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
DESK = {
    "type": "object",
    "properties": {"desk": {"enum": ["delivery", "billing"]}, "urgent": {"type": "boolean"}},
    "required": ["desk", "urgent"],
    "additionalProperties": False,
}
DESK_FORMAT = {"type": "json_schema", "json_schema": {"name": "desk", "strict": True, "schema": DESK}}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}}
KINDS: dict[str, Json] = {
    "plain": {},
    "tools": {"tools": [WEATHER], "tool_choice": "required"},
    "schema": {"response_format": DESK_FORMAT},
    "several": {"n": 3},
    "image": {"messages": [{"role": "user", "content": [{"type": "text", "text": "what?"}, PICTURE]}]},
    "logprobs": {"logprobs": True, "top_logprobs": 2},
    "cut short": {"max_tokens": 2},
}
ROUTES = {"openrouter": GPT, "openai": "openai/gpt-4.1-mini", "mine": "mine/openai/gpt-4.1-mini"}


@needs_specs
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("route", ROUTES)
def test_a_whole_answer_fits_openais_description(server: Serving, providers: Any, route: str, kind: str) -> None:
    status, _, answer = server.post("/chat/completions", {**body_of(ROUTES[route]), **KINDS[kind]})
    assert status == 200, answer
    if answer.get("system_fingerprint", "") is None:  # OpenRouter sends it so; what a provider says is not rewritten
        del answer["system_fingerprint"]
    check_response("openai", "/chat/completions", "post", 200, answer)


@needs_specs
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("route", ROUTES)
def test_a_streamed_answer_fits_openais_description(server: Serving, providers: Any, route: str, kind: str) -> None:
    status, headers, stream = server.post(
        "/chat/completions", {**body_of(ROUTES[route]), **KINDS[kind], "stream": True}
    )
    assert status == 200, stream
    assert headers["content-type"].startswith("text/event-stream")
    check_stream("openai", stream.encode())


def test_fields_of_the_request_reach_the_provider_untouched(server: Serving, router: Upstream) -> None:
    asked = {
        **body_of(CLAUDE),
        "provider": {
            "order": ["anthropic"], "only": ["anthropic", "google"], "data_collection": "deny", "zdr": True,
            "max_price": {"prompt": 10.5, "completion": 1e2}, "enforce_distillable_text": True,
        },
        "reasoning": {"effort": "high", "exclude": False},
        "transforms": ["middle-out"],
        "plugins": [{"id": "web", "max_results": 1}],
        "usage": {"include": True},
        "temperature": 0.30000000000000004,
        "seed": 2**62 + 1,
        "logit_bias": {"50256": -100},
        "tools": [WEATHER],
        "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
        "parallel_tool_calls": False,
        "metadata": {"ünï": "çødé 🦜", "quote": "\"\\/\n\t"},
        "user": "somebody",
        "nothing": None,
        "never_heard_of": {"deep": [1, 2.5, True, None, {"x": []}]},
    }  # fmt: skip
    status, _, answer = server.post("/chat/completions", asked)
    assert status == 200, answer
    assert router.last == {**asked, "model": "anthropic/claude-sonnet-4.5"}


def test_fields_of_messages_reach_the_provider_untouched(server: Serving, router: Upstream) -> None:
    parts = [
        {"type": "text", "text": "long and kept", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}},
        PICTURE,
    ]
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Ulm"}'}}
    messages = [
        {
            "role": "developer",
            "content": [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}],
        },
        {"role": "user", "content": parts, "name": "bob"},
        {"role": "assistant", "content": None, "tool_calls": [call], "reasoning_details": [{"type": "x", "data": "y"}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny", "is_odd": True},
        {"role": "assistant", "content": "It is", "prefix": True},
    ]
    status, _, answer = server.post("/chat/completions", {"model": CLAUDE, "messages": messages})
    assert status == 200, answer
    assert router.last["messages"] == messages


def test_prompt_caching_at_the_provider_is_seen(server: Serving, router: Upstream) -> None:
    part = {"type": "text", "text": "these words are cached here", "cache_control": {"type": "ephemeral"}}
    messages = [{"role": "system", "content": [part]}, {"role": "user", "content": "what?"}]
    first, second = (
        server.post("/chat/completions", {"model": CLAUDE, "messages": messages})[2]["usage"] for _ in range(2)
    )
    assert first["prompt_tokens_details"]["cache_write_tokens"] > 0
    assert second["prompt_tokens_details"]["cached_tokens"] > 0
    assert second["cost"] < first["cost"]


@pytest.mark.parametrize("streamed", [False, True])
def test_fields_of_the_answer_reach_the_caller_untouched(server: Serving, router: Upstream, streamed: bool) -> None:
    status, headers, answer = server.chat(CLAUDE, "why?", reasoning={"effort": "low"}, stream=streamed)
    assert status == 200
    parts = chunks_of(answer) if streamed else [answer]
    said = [choice["delta" if streamed else "message"] for part in parts for choice in part["choices"]]
    assert all(part["provider"] == "Anthropic" for part in parts)
    assert any(choice.get("native_finish_reason") for part in parts for choice in part["choices"])
    assert any(one.get("reasoning") for one in said)
    assert parts[-1]["usage"]["cost_details"]["upstream_inference_prompt_cost"] > 0
    assert parts[-1]["usage"]["completion_tokens_details"]["reasoning_tokens"] == 8
    assert parts[-1]["id"].startswith("gen-")
    assert headers["x-request-id"]


def test_the_question_is_counted_as_the_provider_counts_it(server: Serving, router: Upstream) -> None:
    asked = body_of(GPT, "a question of six words, ünïcödé")
    assert server.post("/chat/completions", asked)[2]["usage"]["prompt_tokens"] == count_prompt(asked)
    assert (
        server.post("/chat/completions", asked)[2]["choices"][0]["message"]["content"]
        == asked["messages"][0]["content"]
    )


@pytest.mark.parametrize("route", ROUTES)
def test_a_tool_is_called_in_one_piece_or_in_many(server: Serving, providers: Any, route: str) -> None:
    wish = {"tools": [WEATHER], "tool_choice": "required"}
    (whole,) = server.chat(ROUTES[route], "Ulm", **wish)[2]["choices"][0]["message"]["tool_calls"]
    chunks = chunks_of(server.chat(ROUTES[route], "Ulm", stream=True, **wish)[2])
    deltas = [d for chunk in chunks for choice in chunk["choices"] for d in choice["delta"].get("tool_calls", ())]
    pieces = "".join(delta["function"].get("arguments", "") for delta in deltas)
    assert whole["function"]["name"] == deltas[0]["function"]["name"] == "get_weather"
    assert json.loads(whole["function"]["arguments"]) == json.loads(pieces)


def test_an_answer_keeps_to_a_json_schema(server: Serving, router: Upstream) -> None:
    status, _, answer = server.chat(GPT, "where is it?", response_format=DESK_FORMAT)
    assert status == 200
    assert json.loads(text_of(answer)).keys() == {"desk", "urgent"}


def test_several_answers_are_asked_for_and_given(server: Serving, router: Upstream) -> None:
    answer = server.chat(GPT, n=3)[2]
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]
    chunks = chunks_of(server.chat(GPT, n=3, stream=True)[2])
    assert {choice["index"] for chunk in chunks for choice in chunk["choices"]} == {0, 1, 2}


def test_logprobs_come_through(server: Serving, router: Upstream) -> None:
    content = server.chat(GPT, "one two", logprobs=True, top_logprobs=2)[2]["choices"][0]["logprobs"]["content"]
    assert [one["token"] for one in content] == ["one", " two"]
    assert len(content[0]["top_logprobs"]) == 2


def test_a_stream_says_what_the_whole_answer_says(server: Serving, router: Upstream) -> None:
    text = 'Grüße — 日本語 🦜 "quoted" \\ and\nnew lines'
    assert text_of(server.chat(GPT, text)[2]) == text
    assert streamed_text(chunks_of(server.chat(GPT, text, stream=True)[2])) == text


def test_a_stream_is_told_not_to_be_kept_by_proxies(server: Serving, router: Upstream) -> None:
    with Stream(server, body_of(GPT)) as stream:
        assert stream.response.getheader("content-type", "").startswith("text/event-stream")
        assert "no-cache" in stream.response.getheader("cache-control", "")
        assert list(stream.events())[-1] == "[DONE]"


def test_connections_are_kept_on_both_sides(server: Serving, router: Upstream) -> None:
    server.chat(GPT)
    before = router.connections_made
    connection = server.connection()
    connection.connect()
    sock = connection.sock
    for number in range(10):
        data = json.dumps(body_of(GPT, stream=number % 2 == 1)).encode()
        connection.request("POST", "/v1/chat/completions", data, {"content-type": "application/json"})
        response = connection.getresponse()
        assert response.status == 200
        response.read()
    assert connection.sock is sock
    assert router.connections_made == before
    connection.close()


@needs_specs
@pytest.mark.parametrize("route", ["openrouter/openai/text-embedding-3-small", "openai/text-embedding-3-small"])
def test_embeddings_fit_openais_description(server: Serving, providers: Any, route: str) -> None:
    status, _, answer = server.post("/embeddings", {"model": route, "input": ["one", "two"]})
    assert status == 200, answer
    check_response("openai", "/embeddings", "post", 200, answer)
    assert [one["index"] for one in answer["data"]] == [0, 1]


def test_embeddings_in_base64_and_of_a_given_size_pass_through(server: Serving, router: Upstream) -> None:
    asked = {"model": "openrouter/openai/text-embedding-3-small", "input": "one", "dimensions": 4}
    plain = server.post("/embeddings", asked)[2]["data"][0]["embedding"]
    packed = server.post("/embeddings", {**asked, "encoding_format": "base64"})[2]["data"][0]["embedding"]
    assert struct.unpack("<4f", base64.b64decode(packed)) == pytest.approx(plain)
    assert router.requests[-1].json == {**asked, "model": "openai/text-embedding-3-small", "encoding_format": "base64"}
