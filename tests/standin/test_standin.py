"""The stand-in's good answers: they fit the providers' published OpenAPI, and count and cost as calculated by hand."""

from __future__ import annotations

import base64
import http.client
import json
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from .answers import count_prompt, tokens
from .catalogue import MODELS
from .client import GPT, Json, ask, call, chat, on
from .server import Standin, nobody
from .spec import check, check_request, check_response, check_stream, needs_specs, read_events, validator

CLAUDE = "anthropic/claude-sonnet-4.5"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 2}},
            "required": ["city", "days"],
        },
    },
}
DESK = {
    "type": "object",
    "properties": {
        "desk": {"enum": ["delivery", "billing"]},
        "urgent": {"type": "boolean"},
        "tags": {"$ref": "#/$defs/tags"},
    },
    "required": ["desk", "urgent", "tags"],
    "$defs": {"tags": {"type": "array", "items": {"type": "string", "maxLength": 4}, "minItems": 2}},
}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
REQUESTS: dict[str, Json] = {
    "plain": chat(),
    "tools": chat(tools=[WEATHER], tool_choice="required"),
    "schema": chat(response_format={"type": "json_schema", "json_schema": {"name": "desk", "schema": DESK}}),
    "object": chat(response_format={"type": "json_object"}),
    "image": {"model": GPT, "messages": [{"role": "user", "content": [{"type": "text", "text": "what?"}, PICTURE]}]},
    "several": chat(n=2),
    "logprobs": chat(logprobs=True, top_logprobs=2),
    "reasoning": chat(model=CLAUDE, reasoning={"effort": "low"}),
    "cut short": chat(max_tokens=2),
    "options": chat(
        provider={"order": ["azure"], "data_collection": "deny"}, transforms=["middle-out"], usage={"include": True}
    ),
}


@pytest.fixture(scope="module")
def router() -> Iterator[Standin]:
    with Standin() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def openai() -> Iterator[Standin]:
    with Standin(dialect="openai") as upstream:
        yield upstream


@pytest.fixture(params=["openrouter", "openai"])
def either(request: pytest.FixtureRequest, router: Standin, openai: Standin) -> Standin:
    return router if request.param == "openrouter" else openai


# Against the published descriptions


@needs_specs
@pytest.mark.parametrize("kind", REQUESTS)
def test_an_answer_fits_the_published_description(either: Standin, kind: str) -> None:
    got = ask(either, REQUESTS[kind])
    assert got.status == 200
    assert got.headers["content-type"] == "application/json"
    check_response(either.dialect, "/chat/completions", "post", 200, got.body)


@needs_specs
@pytest.mark.parametrize("kind", REQUESTS)
def test_each_chunk_of_a_stream_fits_too_and_together_they_are_the_answer(either: Standin, kind: str) -> None:
    body = {**REQUESTS[kind], "stream_options": {"include_usage": True}}
    whole, got = ask(either, body).json, ask(either, {**body, "stream": True})
    assert got.headers["content-type"] == "text/event-stream"
    chunks = check_stream(either.dialect, got.body)
    for choice in whole["choices"]:
        parts = [part for chunk in chunks for part in chunk["choices"] if part["index"] == choice["index"]]
        told = "".join(part["delta"].get("content") or "" for part in parts)
        assert told == (choice["message"]["content"] or "")
        assert [part["finish_reason"] for part in parts if part["finish_reason"]] == [choice["finish_reason"]]
        thought = "".join(part["delta"].get("reasoning") or "" for part in parts)
        assert thought == (choice["message"].get("reasoning") or "")
        calls = [call for part in parts for call in part["delta"].get("tool_calls", ())]
        arguments = "".join(call["function"].get("arguments", "") for call in calls)
        assert arguments == "".join(call["function"]["arguments"] for call in choice["message"].get("tool_calls", ()))
    assert chunks[-1]["usage"] == whole["usage"]
    assert chunks[-1]["choices"] == []


@needs_specs
@pytest.mark.parametrize("path", ["/models", "/key", "/credits", f"/models/{CLAUDE}/endpoints"])
def test_what_is_looked_up_at_openrouter_fits(router: Standin, path: str) -> None:
    check_response("openrouter", path, "get", 200, call(router, "GET", path).body)


@needs_specs
def test_all_models_fit_also_those_that_write_no_text(router: Standin) -> None:
    got = call(router, "GET", "/models?output_modalities=all")
    check("openrouter", "ModelsListResponse", got.json)
    assert len(got.json["data"]) == len(MODELS) == 13


@needs_specs
def test_a_generation_tells_what_its_answer_used(router: Standin) -> None:
    answer = ask(router, chat()).json
    got = call(router, "GET", f"/generation?id={answer['id']}")
    check_response("openrouter", "/generation", "get", 200, got.body)
    assert got.json["data"]["native_tokens_prompt"] == answer["usage"]["prompt_tokens"]
    assert got.json["data"]["total_cost"] == answer["usage"]["cost"]
    unknown = call(router, "GET", "/generation?id=gen-0")
    check_response("openrouter", "/generation", "get", unknown.status, unknown.body)


@needs_specs
@pytest.mark.parametrize(
    "path", ["/models", "/models/gpt-4.1-mini", "/models/ft:gpt-4.1-mini-2025-04-14:acme::B1x2y3z4"]
)
def test_the_models_of_openai_fit(openai: Standin, path: str) -> None:
    check_response("openai", path, "get", 200, call(openai, "GET", path).body)


@needs_specs
def test_embeddings_fit(either: Standin) -> None:
    body = {"model": "openai/text-embedding-3-small", "input": ["one two", "three"], "dimensions": 8}
    got = call(either, "POST", "/embeddings", body)
    check_response(either.dialect, "/embeddings", "post", 200, got.body)
    assert got.json["usage"]["prompt_tokens"] == 3
    packed = call(either, "POST", "/embeddings", {**body, "encoding_format": "base64"}).json
    for one, other in zip(got.json["data"], packed["data"], strict=True):
        assert one["embedding"] == pytest.approx(struct.unpack("<8f", base64.b64decode(other["embedding"])), abs=1e-6)
        assert sum(value * value for value in one["embedding"]) == pytest.approx(1)


@needs_specs
def test_refusals_of_its_own_fit(either: Standin) -> None:
    asked: tuple[tuple[Json | bytes, int], ...] = (
        (chat(model="nobody/nothing"), 400 if either.dialect == "openrouter" else 404),
        (b"{not json", 400),
        (b'{"messages": []}', 400),
        (b'{"messages": ["text"]}', 400),
        (b'{"messages": [{"role": "user", "content": 5}]}', 400),
        (chat(model="meta-llama/llama-3.2-1b-instruct", max_tokens=9000), 400),
        (chat(model="meta-llama/llama-3.2-1b-instruct", tools=[WEATHER]), 404),
        (chat(model="openai/text-embedding-3-small"), 404),
    )
    for body, status in asked:
        got = call(either, "POST", "/chat/completions", body)
        assert got.status == status, (body, got)
        check_response(either.dialect, "/chat/completions", "post", status, got.body)
    for key in (None, "sk-or-v1-wrong"):
        got = call(either, "POST", "/embeddings", {"model": "x", "input": "x"}, key)
        check_response(either.dialect, "/embeddings", "post", 401, got.body)


@needs_specs
def test_the_checks_themselves_find_what_is_wrong(router: Standin, openai: Standin) -> None:
    for upstream, name in ((router, "ChatResult"), (openai, "CreateChatCompletionResponse")):
        good = ask(upstream, chat()).json
        assert validator(upstream.dialect, name).is_valid(good)
        for bad in ({**good, "choices": "none"}, {**good, "object": "text"}, {**good, "usage": {"prompt_tokens": "6"}}):
            with pytest.raises(AssertionError, match=r"\$\.(choices|object|usage)"):
                check_response(upstream.dialect, "/chat/completions", "post", 200, bad)
    with pytest.raises(AssertionError, match="error"):
        check_response("openai", "/chat/completions", "post", 401, {"message": "no"})
    with pytest.raises(AssertionError, match="no path"):
        check_response("openai", "/nowhere", "post", 200, {})
    check_request("openrouter", "/chat/completions", "post", REQUESTS["tools"])
    with pytest.raises(AssertionError, match="messages"):
        check_request("openai", "/chat/completions", "post", {"model": GPT})


# What is answered


def test_it_echoes_the_last_question_until_told_what_to_say() -> None:
    with Standin() as upstream:
        assert text(upstream, chat("wo ist mein Paket? 📦")) == "wo ist mein Paket? 📦"
        upstream.say("Paris")
        assert text(upstream, chat("anything")) == "Paris"
        upstream.say(lambda body: body["messages"][0]["content"].upper())
        assert text(upstream, chat("loud")) == "LOUD"
        upstream.say(None)
        assert text(upstream, chat("again")) == "again"


def test_a_tool_is_called_when_forced_or_named(router: Standin) -> None:
    forced = {"type": "function", "function": {"name": "get_weather"}}
    for body in (chat("Rome", tools=[WEATHER], tool_choice=forced), chat("use get_weather", tools=[WEATHER])):
        choice = ask(router, body).json["choices"][0]
        assert choice["finish_reason"] == "tool_calls"
        called = choice["message"]["tool_calls"][0]["function"]
        assert called["name"] == "get_weather"
        assert json.loads(called["arguments"]) == {"city": body["messages"][0]["content"], "days": 2}
    assert text(router, chat("Rome", tools=[WEATHER])) == "Rome"
    done = chat("use get_weather", tools=[WEATHER])
    done["messages"] += [
        {"role": "assistant", "content": None},
        {"role": "tool", "tool_call_id": "1", "content": "sun"},
    ]
    assert text(router, done) == "use get_weather"


def test_an_answer_has_the_shape_asked_for(router: Standin) -> None:
    asked = {"type": "json_schema", "json_schema": {"name": "desk", "schema": DESK}}
    found = json.loads(text(router, chat("a billing matter", response_format=asked)))
    assert found == {"desk": "billing", "urgent": True, "tags": ["a bi", "a bi"]}


def test_stop_and_max_tokens_end_an_answer(router: Standin) -> None:
    short = ask(router, chat("one two three", max_tokens=2)).json["choices"][0]
    assert (short["message"]["content"], short["finish_reason"]) == ("one two", "length")
    stopped = ask(router, chat("one two three", stop=["three"])).json["choices"][0]
    assert (stopped["message"]["content"], stopped["finish_reason"]) == ("one two ", "stop")


def test_provider_options_choose_who_answers(router: Standin) -> None:
    def who(**wish: Any) -> Any:
        got = ask(router, chat(model=CLAUDE, provider=wish))
        return got.json["provider"] if got.status == 200 else got.status

    assert who() == "Anthropic"
    assert who(order=["google"]) == "Google"
    assert who(only=["amazon-bedrock"]) == "Amazon Bedrock"
    assert who(ignore=["anthropic"]) == "Amazon Bedrock"
    assert who(only=["nobody"]) == 404
    assert who(max_price={"prompt": 1}) == 404


def test_openrouter_takes_the_next_of_several_models(router: Standin) -> None:
    got = ask(router, {**chat(model="fault/503"), "models": ["fault/429", CLAUDE]})
    assert (got.status, got.json["model"]) == (200, CLAUDE)
    assert ask(router, {**chat(model="fault/503"), "models": ["fault/429"]}).status == 429


def test_models_are_filtered_and_paged(router: Standin) -> None:
    listed = [model["id"] for model in call(router, "GET", "/models", key=None).json["data"]]
    assert len(listed) == 11
    assert "openai/text-embedding-3-small" not in listed
    page = call(router, "GET", "/models?limit=5&offset=5").json
    assert [model["id"] for model in page["data"]] == listed[5:10]
    assert page["links"]["next"] == "/api/v1/models?offset=10&limit=5"
    assert [model["id"] for model in call(router, "GET", "/models?q=sonnet").json["data"]] == [CLAUDE]


# What is counted


def test_tokens_and_cost_are_those_of_a_hand_calculation(router: Standin) -> None:
    usage = ask(router, chat(model=CLAUDE)).json["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (3 + 3, 3, 9)
    assert usage["cost"] == pytest.approx(6 * 3e-6 + 3 * 15e-6)
    assert usage["cost_details"]["upstream_inference_prompt_cost"] == pytest.approx(18e-6)
    assert usage["cost_details"]["upstream_inference_completions_cost"] == pytest.approx(45e-6)


def test_a_long_prompt_costs_what_its_tier_says(router: Standin) -> None:
    for words, prompt_usd, completion_usd in ((31_996, 1.2e-6, 6e-6), (31_997, 2.4e-6, 12e-6)):
        usage = ask(router, chat("a " * words, model="qwen/qwen3-max", max_tokens=1)).json["usage"]
        assert usage["prompt_tokens"] == words + 1 + 3  # the last white space, and the message
        assert usage["cost"] == pytest.approx((words + 4) * prompt_usd + completion_usd)


def test_calls_pictures_and_thoughts_are_priced_apart(router: Standin) -> None:
    fee = ask(router, chat(model="perplexity/sonar")).json["usage"]
    assert fee["cost"] == pytest.approx(0.005 + 9e-6)
    seen = ask(router, {**REQUESTS["image"], "model": "google/gemini-2.5-flash"}).json["usage"]
    assert seen["prompt_tokens"] == 3 + 1 + 258
    assert seen["cost"] == pytest.approx(262 * 0.3e-6 + 0.001238 + 1 * 2.5e-6)
    thought = ask(router, chat(model="google/gemini-2.5-flash", reasoning={"max_tokens": 10})).json["usage"]
    assert thought["completion_tokens_details"]["reasoning_tokens"] == 10
    assert thought["completion_tokens"] == 13
    assert thought["cost"] == pytest.approx(6 * 0.3e-6 + 3 * 2.5e-6 + 10 * 3.5e-6)
    assert ask(router, chat(model="meta-llama/llama-3.3-70b-instruct:free")).json["usage"]["cost"] == 0


def test_a_cached_prompt_is_written_once_and_then_read() -> None:
    marked = {"type": "text", "text": "many words in here", "cache_control": {"type": "ephemeral"}}
    body = {"model": CLAUDE, "messages": [{"role": "user", "content": [marked, {"type": "text", "text": " now"}]}]}
    with Standin() as upstream:
        first, second = (ask(upstream, body).json["usage"] for _ in range(2))
    assert first["prompt_tokens_details"] == {"cached_tokens": 0, "cache_write_tokens": 4}
    assert second["prompt_tokens_details"] == {"cached_tokens": 4, "cache_write_tokens": 0}
    answer = 5 * 15e-6
    assert first["cost"] == pytest.approx(4 * 3e-6 + 4 * 3.75e-6 + answer)
    assert second["cost"] == pytest.approx(4 * 3e-6 + 4 * 0.3e-6 + answer)


def test_openai_says_no_cost_and_streams_usage_only_when_asked(openai: Standin) -> None:
    assert "cost" not in ask(openai, chat()).json["usage"]
    for asked in (False, True):
        events = read_events(ask(openai, chat(stream=True, stream_options={"include_usage": asked})).body)
        chunks = [json.loads(data) for data in events if data != "[DONE]"]
        assert sum(bool(chunk.get("usage")) for chunk in chunks) == asked
        assert all("provider" not in chunk for chunk in chunks)


def test_the_key_page_sums_up_what_was_spent() -> None:
    with Standin(limit_usd=5) as upstream:
        cost = ask(upstream, chat(model="perplexity/sonar")).json["usage"]["cost"]
        data = call(upstream, "GET", "/key").json["data"]
        assert data["usage"] == data["usage_daily"] == upstream.spent_usd == pytest.approx(cost)
        assert data["limit_remaining"] == pytest.approx(5 - cost)
        assert upstream.key is not None
        assert upstream.key not in json.dumps(data)


@pytest.mark.parametrize(
    "value", ["", "one", " one  two\n", "antidisestablishmentarianism", "日本語の文字列がここにあります"]
)
def test_tokens_join_to_the_text(value: str) -> None:
    assert "".join(tokens(value)) == value


# Who may ask, and what is remembered


def test_the_key_is_needed(either: Standin) -> None:
    for key in (None, "sk-or-v1-wrong"):
        for method, path, body in (
            ("POST", "/chat/completions", chat()),
            ("POST", "/embeddings", {"model": "x", "input": "x"}),
        ):
            assert call(either, method, path, body, key).status == 401, path
    assert call(either, "GET", "/models", key=None).status == (200 if either.dialect == "openrouter" else 401)


def test_a_server_without_a_key_takes_any() -> None:
    with Standin(key=None, dialect="openai") as upstream:
        assert call(upstream, "POST", "/chat/completions", chat(), key=None).status == 200
        assert call(upstream, "POST", "/chat/completions", chat(), key="anything").status == 200


def test_requests_are_kept_as_they_came() -> None:
    raw = b' {"model": "openai/gpt-4.1-mini", "messages": [{"role": "user", "content": "\\u00e4"}], "unknown": 1.50}'
    with Standin() as upstream:
        assert call(upstream, "POST", "/chat/completions", raw).status == 200
        call(upstream, "GET", "/key?x=1")
        first, second = upstream.requests
        assert upstream.chats == (first,)
    assert (first.method, first.path, first.body) == ("POST", "/chat/completions", raw)
    assert first.json is not None
    assert first.json["unknown"] == 1.5
    assert count_prompt(first.json) == 4
    assert first.headers["authorization"] == f"Bearer {upstream.key}"
    assert (second.path, second.query, second.json) == ("/key", {"x": "1"}, None)
    assert first.finished
    assert not first.disconnected
    assert first.bytes_sent > 500
    assert first.status == 200
    assert (first.connection, second.connection) == (1, 2)


def test_a_connection_is_kept_and_chunked_bodies_are_read() -> None:
    with Standin() as upstream:
        line = http.client.HTTPConnection("127.0.0.1", upstream.port, timeout=5)
        for _ in range(3):
            assert on(line, upstream, "POST", "/chat/completions", chat(stream=True)).status == 200
        parts = iter([b'{"messages": [{"role"', b': "user", "content": "in parts"}]}'])
        line.request("POST", "/api/v1/chat/completions", parts, {"authorization": f"Bearer {upstream.key}"})
        assert json.loads(line.getresponse().read())["choices"][0]["message"]["content"] == "in parts"
        assert upstream.connections_made == upstream.open_connections == 1
        line.close()
        upstream.wait_for(lambda: upstream.open_connections == 0)


def test_waiting_in_vain_says_what_there_was() -> None:
    with Standin() as upstream, pytest.raises(AssertionError, match=r"Not within 0.05 s"):
        upstream.wait_for(lambda: upstream.requests, timeout_s=0.05)


def test_nobody_answers_where_nobody_listens() -> None:
    with nobody() as url, pytest.raises(ConnectionRefusedError):
        port = int(url.split(":")[2].split("/")[0])
        http.client.HTTPConnection("127.0.0.1", port, timeout=5).connect()


def text(upstream: Standin, body: Json) -> str:
    found = ask(upstream, body).json["choices"][0]["message"]["content"]
    assert isinstance(found, str)
    return found
