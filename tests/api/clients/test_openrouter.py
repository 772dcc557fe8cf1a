"""OpenRouter's own SDK against `chapeta serve`: it checks each field of an answer strictly, and has a class per error."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from openrouter import OpenRouter, errors

from standin.asked import vector

MODEL = "openrouter/openai/gpt-4.1-mini"
HELLO: Any = [{"role": "user", "content": "one two three"}]
WEATHER: Any = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


@pytest.fixture(scope="module")
def client(started: Any) -> Iterator[OpenRouter]:
    with OpenRouter(api_key="anything", server_url=started.url, timeout_ms=60_000) as made:
        yield made


def test_chat_with_its_cost(client: OpenRouter) -> None:
    done = client.chat.send(model=MODEL, messages=HELLO)
    assert done.choices[0].message.content == "one two three"
    assert done.usage is not None and done.usage.cost is not None and done.usage.cost > 0


@pytest.mark.parametrize("model", [MODEL, "openai/gpt-4.1-mini"])
def test_stream(client: OpenRouter, model: str) -> None:
    with client.chat.send(model=model, messages=HELLO, stream=True) as stream:
        chunks = list(stream)
    assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices) == "one two three"
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason] == ["stop"]


def test_asynchronously(service: Any) -> None:
    async def run() -> str:
        async with OpenRouter(api_key="anything", server_url=service.url) as client:
            stream = await client.chat.send_async(model=MODEL, messages=HELLO, stream=True)
            async with stream:
                return "".join([choice.delta.content or "" async for chunk in stream for choice in chunk.choices])

    assert asyncio.run(run()) == "one two three"


def test_tools_reasoning_and_the_provider_object(service: Any, client: OpenRouter) -> None:
    done = client.chat.send(model=MODEL, messages=[{"role": "user", "content": "Use get_weather"}], tools=[WEATHER])
    (call,) = done.choices[0].message.tool_calls or ()
    assert call.function.name == "get_weather"
    thought = client.chat.send(
        model="openrouter/anthropic/claude-sonnet-4.5",
        messages=HELLO,
        reasoning={"effort": "low"},
        provider={"order": ["anthropic"], "data_collection": "deny", "zdr": True},
    )
    assert thought.choices[0].message.reasoning
    sent = service.openrouter.chats[-1].json
    assert sent["reasoning"] == {"effort": "low"}
    assert sent["provider"] == {"order": ["anthropic"], "data_collection": "deny", "zdr": True}


def test_embeddings(client: OpenRouter) -> None:
    made: Any = client.embeddings.generate(model="openrouter/openai/text-embedding-3-small", input=["cat"])
    assert made.data[0].embedding == pytest.approx(vector("cat", 16), abs=1e-6)


@pytest.mark.parametrize(
    ("fault", "status", "said"),
    [
        ("401", 401, "User not found"),
        ("402", 402, "Insufficient credits"),
        ("429?retry_after_s=120", 429, "Provider returned error"),
        ("503?retry_after_s=120", 503, "no available model provider"),
    ],
)
def test_a_refusal_is_an_error_with_its_status(client: OpenRouter, fault: str, status: int, said: str) -> None:
    """Not of the status's own class: this SDK wants a number for `code`, OpenAI's clients a word or null."""
    with pytest.raises(errors.OpenRouterError) as caught:
        client.chat.send(model=f"openrouter/fault/{fault}", messages=HELLO, retries=None)
    assert caught.value.status_code == status
    assert said in caught.value.body


def test_an_error_in_mid_stream_is_told(service: Any, client: OpenRouter) -> None:
    service.openrouter.next_fault("error-mid", after=2)
    with client.chat.send(model=MODEL, messages=HELLO, stream=True) as stream:
        chunks = list(stream)
    assert chunks[-1].error is not None
    assert "Provider disconnected" in chunks[-1].error.message
    assert chunks[-1].choices[0].finish_reason == "error"


def test_the_embedded_model_answers_in_the_same_shape(client: OpenRouter) -> None:
    question: Any = [{"role": "user", "content": "Who wrote Hamlet?"}]
    whole = client.chat.send(model="smollm2-135m", messages=question, temperature=0, max_tokens=16)
    with client.chat.send(model="smollm2-135m", messages=question, temperature=0, max_tokens=16, stream=True) as stream:
        text = "".join(choice.delta.content or "" for chunk in stream for choice in chunk.choices)
    assert whole.choices[0].message.content == text
    assert "Shakespeare" in text
