"""OpenAI's own SDK against `chapeta serve`, nothing changed but its base_url: providers behind it, and its errors."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from standin.answers import count_prompt, tokens
from standin.asked import vector
from standin.errors import PROBLEMS

MODEL = "openrouter/openai/gpt-4.1-mini"
DIRECT = "openai/gpt-4.1-mini"
PIXEL = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}


class Ticket(BaseModel):
    team: str
    urgent: bool


def ask(text: str) -> Any:
    return [{"role": "user", "content": text}]


@pytest.fixture(scope="module")
def client(started: Any) -> Iterator[OpenAI]:
    with OpenAI(base_url=started.url, api_key="anything", max_retries=0, timeout=60) as made:
        yield made


def with_async_client(service: Any, work: Callable[[AsyncOpenAI], Any]) -> Any:
    """Runs a coroutine of the asynchronous client's."""

    async def run() -> Any:
        async with AsyncOpenAI(base_url=service.url, api_key="anything", max_retries=0, timeout=60) as client:
            return await work(client)

    return asyncio.run(run())


@pytest.mark.parametrize("model", [MODEL, DIRECT])
def test_chat(client: OpenAI, model: str) -> None:
    done = client.chat.completions.create(model=model, messages=ask("Paris is the capital of France"))
    assert done.choices[0].message.content == "Paris is the capital of France"
    assert done.choices[0].finish_reason == "stop"
    assert done.usage is not None
    assert done.usage.prompt_tokens == count_prompt({"messages": ask("Paris is the capital of France")})
    assert done.usage.completion_tokens == len(tokens("Paris is the capital of France"))
    assert done._request_id


def test_what_the_provider_adds_comes_through(client: OpenAI) -> None:
    done = client.chat.completions.create(model=MODEL, messages=ask("hello"))
    assert done.model_extra is not None and done.usage is not None and done.usage.model_extra is not None
    assert done.model_extra["provider"] == "OpenAI"
    assert done.usage.model_extra["cost"] > 0


@pytest.mark.parametrize("model", [MODEL, DIRECT])
def test_stream_with_its_usage(client: OpenAI, model: str) -> None:
    text = "one two three four five six"
    stream = client.chat.completions.create(
        model=model, messages=ask(text), stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    pieces = [choice.delta.content for chunk in chunks for choice in chunk.choices if choice.delta.content]
    assert ("".join(pieces), len(pieces)) == (text, 6)
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1] == "stop"
    usages = [chunk.usage for chunk in chunks if chunk.usage is not None]
    assert [(usage.prompt_tokens, usage.completion_tokens) for usage in usages] == [
        (count_prompt({"messages": ask(text)}), 6)
    ]


def test_a_client_that_asked_for_no_usage_gets_no_chunk_without_choices(client: OpenAI) -> None:
    """Programs read chunk.choices[0] of each chunk, and OpenAI itself sends none without unless usage was asked for."""
    stream = client.chat.completions.create(model=DIRECT, messages=ask("one two"), stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == "one two"


def test_the_streaming_helper_builds_the_whole_answer(client: OpenAI) -> None:
    with client.chat.completions.stream(model=MODEL, messages=ask("one two three")) as stream:
        deltas = [event.delta for event in stream if event.type == "content.delta"]
        final = stream.get_final_completion()
    assert "".join(deltas) == final.choices[0].message.content == "one two three"


def test_asynchronously_and_many_at_once(service: Any) -> None:
    async def one(client: AsyncOpenAI, number: int) -> str | None:
        done = await client.chat.completions.create(model=MODEL, messages=ask(f"number {number}"))
        return done.choices[0].message.content

    async def streamed(client: AsyncOpenAI, number: int) -> str:
        stream = await client.chat.completions.create(model=MODEL, messages=ask(f"number {number}"), stream=True)
        return "".join([c.delta.content or "" async for chunk in stream for c in chunk.choices])

    async def all_of_them(client: AsyncOpenAI) -> list[str | None]:
        return await asyncio.gather(*(one(client, n) for n in range(10)), *(streamed(client, n) for n in range(10)))

    assert with_async_client(service, all_of_them) == [f"number {n}" for n in range(10)] * 2


def test_a_tool_is_called_and_its_result_answered(service: Any, client: OpenAI) -> None:
    messages = ask("Use get_weather for Paris")
    first = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER])
    assert first.choices[0].finish_reason == "tool_calls"
    (call,) = first.choices[0].message.tool_calls or ()
    assert call.type == "function" and call.function.name == "get_weather"
    messages += [first.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
    service.openrouter.say("It is sunny.")
    second = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER])
    assert second.choices[0].message.content == "It is sunny."
    turns = service.openrouter.chats[-1].json["messages"]
    assert turns[1]["tool_calls"][0]["id"] == turns[2]["tool_call_id"] == call.id


def test_a_tool_call_in_pieces(client: OpenAI) -> None:
    with client.chat.completions.stream(model=DIRECT, messages=ask("Use get_weather"), tools=[WEATHER]) as stream:
        final = stream.get_final_completion()
    (call,) = final.choices[0].message.tool_calls or ()
    assert call.function.name == "get_weather"
    assert "city" in call.function.arguments


def test_a_json_schema_by_the_parse_helper(service: Any, client: OpenAI) -> None:
    done = client.chat.completions.parse(model=MODEL, messages=ask("My parcel is late"), response_format=Ticket)
    assert isinstance(done.choices[0].message.parsed, Ticket)
    asked = service.openrouter.chats[-1].json["response_format"]["json_schema"]
    assert asked["strict"] is True and set(asked["schema"]["properties"]) == {"team", "urgent"}


def test_images_and_options_reach_the_provider_as_they_are(service: Any, client: OpenAI) -> None:
    parts: Any = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": PIXEL}}]
    options = {
        "provider": {"order": ["azure"], "data_collection": "deny", "zdr": True, "max_price": {"prompt": 1}},
        "reasoning": {"effort": "high"},
        "transforms": ["middle-out"],
        "something_new": {"a": [1, None]},
    }
    done = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": parts}], extra_body=options
    )
    assert done.choices[0].message.content == "What is it?"
    sent = service.openrouter.chats[-1].json
    assert sent["messages"] == [{"role": "user", "content": parts}]
    assert {name: sent[name] for name in options} == options
    assert sent["model"] == "openai/gpt-4.1-mini"


def test_several_answers_with_logprobs(client: OpenAI) -> None:
    done = client.chat.completions.create(model=MODEL, messages=ask("a b"), n=2, logprobs=True, top_logprobs=2)
    assert [choice.index for choice in done.choices] == [0, 1]
    first = done.choices[0].logprobs
    assert first is not None and first.content is not None
    assert "".join(token.token for token in first.content) == "a b"
    assert [len(token.top_logprobs) for token in first.content] == [2, 2]


@pytest.mark.parametrize("options", [{}, {"encoding_format": "float"}, {"encoding_format": "float", "dimensions": 4}])
def test_embeddings(client: OpenAI, options: Any) -> None:
    """By default the SDK asks for base64 and unpacks it."""
    made = client.embeddings.create(model="openrouter/openai/text-embedding-3-small", input=["cat", "dog"], **options)
    size = options.get("dimensions", 16)
    for one, word in zip(made.data, ("cat", "dog"), strict=True):
        assert one.embedding == pytest.approx(vector(word, size), abs=1e-6)
    assert made.usage.prompt_tokens == 2


def test_models_are_listed_and_found(client: OpenAI) -> None:
    listed = {model.id for model in client.models.list()}
    assert "smollm2-135m" in listed
    assert any(model.startswith("openrouter/") for model in listed)
    assert not any(model.startswith("anthropic/") for model in listed), "there is no key for these"
    for name in ("smollm2-135m", MODEL):
        assert client.models.retrieve(name).id == name
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nobody")


@pytest.mark.parametrize(
    ("fault", "kind", "status"),
    [
        ("400", openai.BadRequestError, 400),
        ("401", openai.AuthenticationError, 401),
        ("402", openai.APIStatusError, 402),
        ("402-max-tokens", openai.APIStatusError, 402),
        ("403", openai.PermissionDeniedError, 403),
        ("404", openai.NotFoundError, 404),
        ("422", openai.UnprocessableEntityError, 422),
        ("429?retry_after_s=120", openai.RateLimitError, 429),
        ("500", openai.InternalServerError, 500),
        ("503?retry_after_s=120", openai.InternalServerError, 503),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_refusal_is_the_exception_of_its_status(
    service: Any, client: OpenAI, fault: str, kind: type[openai.APIStatusError], status: int, streamed: bool
) -> None:
    with pytest.raises(kind) as caught:
        client.chat.completions.create(model=f"openrouter/fault/{fault}", messages=ask("hello"), stream=streamed)
    error = caught.value
    problem = PROBLEMS[fault.partition("?")[0]]
    assert error.status_code == status
    assert problem.metadata.get("raw", problem.message) in str(error.body)
    assert problem.message in error.message or problem.metadata.get("raw", "") in error.message
    assert isinstance(error.body, dict) and error.body["type"]
    if "retry_after_s" in fault:
        assert 100 < float(error.response.headers["retry-after"]) <= 120


@pytest.mark.parametrize("model", ["openrouter/fault/402", "openai/fault/500", "nobody"])
def test_a_refusal_has_a_request_id(client: OpenAI, model: str) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model=model, messages=ask("hello"))
    assert caught.value.request_id


def test_the_context_overflow_of_a_provider_keeps_its_code(client: OpenAI) -> None:
    for model in ("openrouter/fault/context", "openai/fault/context"):
        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(model=model, messages=ask("hello"))
        assert caught.value.code == "context_length_exceeded"
        assert "maximum context length is 8192 tokens" in caught.value.message


def test_unknown_models_and_missing_keys_name_the_next_step(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="nobody") as caught:
        client.chat.completions.create(model="nobody", messages=ask("hello"))
    assert caught.value.code == "model_not_found"
    with pytest.raises(openai.APIStatusError, match="chapeta keys set together") as caught_too:
        client.chat.completions.create(model="together/some/model", messages=ask("hello"))
    assert 400 <= caught_too.value.status_code < 600


def test_sdk_retries_are_enough_for_a_passing_fault(service: Any) -> None:
    """As users have it, with the SDK's own two retries: a provider that is down for a moment is not noticed."""
    service.openrouter.next_fault("503", times=2, retry_after_s=0)
    with OpenAI(base_url=service.url, api_key="anything", timeout=60) as client:
        done = client.chat.completions.create(model=MODEL, messages=ask("still there?"))
    assert done.choices[0].message.content == "still there?"


@pytest.mark.parametrize("fault", ["error-mid", "cut", "cut-event", "cut-quietly"])
@pytest.mark.parametrize("model", [MODEL, DIRECT])
def test_an_error_in_mid_stream_raises(service: Any, client: OpenAI, fault: str, model: str) -> None:
    upstream = service.openrouter if model == MODEL else service.openai
    upstream.next_fault(fault, after=2)
    heard = ""
    with pytest.raises(openai.APIError) as caught:
        for chunk in client.chat.completions.create(model=model, messages=ask("one two three four"), stream=True):
            heard += "".join(choice.delta.content or "" for choice in chunk.choices)
    assert heard.startswith("one")
    assert "one two three four" not in heard
    if fault == "error-mid":
        assert "Provider disconnected unexpectedly" in caught.value.message


def test_a_stream_that_is_closed_ends_the_call_upstream(service: Any, client: OpenAI) -> None:
    service.openrouter.next_fault("endless")
    before = len(service.openrouter.chats)
    stream = client.chat.completions.create(model=MODEL, messages=ask("hello"), stream=True)
    next(iter(stream))
    stream.close()
    record = service.openrouter.wait_for_chat(before + 1)
    service.openrouter.wait_for(lambda: record.disconnected)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_cancelled_task_ends_the_call_upstream(service: Any, streamed: bool) -> None:
    service.openrouter.next_fault("stall")
    before = len(service.openrouter.chats)

    async def cancel(client: AsyncOpenAI) -> Any:
        call = client.chat.completions.create(model=MODEL, messages=ask("hello"), stream=streamed)
        task = asyncio.ensure_future(call)
        record = await asyncio.to_thread(service.openrouter.wait_for_chat, before + 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return record

    record = with_async_client(service, cancel)
    service.openrouter.wait_for(lambda: record.disconnected)


def test_chunks_come_as_they_are_made(service: Any, client: OpenAI) -> None:
    service.openrouter.next_fault("stall-mid", after=4)
    before = len(service.openrouter.chats)
    stream = client.chat.completions.create(model=MODEL, messages=ask("one two three"), stream=True)
    started = time.monotonic()
    first = next(iter(stream))
    assert first.choices[0].delta.content == "one"
    assert time.monotonic() - started < 30, "it did not wait for the stalled end"
    service.openrouter.wait_for(lambda: service.openrouter.chats[before].stalled)
    service.openrouter.release()
    assert "".join(choice.delta.content or "" for chunk in stream for choice in chunk.choices) == " two three"
