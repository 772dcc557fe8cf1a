"""OpenAI's own SDK and the embedded model itself: what it answers, counts and refuses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any, Literal

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

MODEL = "smollm2-135m"
HAMLET: Any = [{"role": "user", "content": "Who wrote Hamlet?"}]


class Ticket(BaseModel):
    team: Literal["delivery", "billing"]
    urgent: bool


@pytest.fixture(scope="module")
def client(started: Any) -> Iterator[OpenAI]:
    with OpenAI(base_url=started.url, api_key="anything", max_retries=0, timeout=120) as made:
        yield made


def test_a_stream_is_the_answer_and_costs_the_same_tokens(client: OpenAI) -> None:
    whole = client.chat.completions.create(model=MODEL, messages=HAMLET, temperature=0, max_tokens=24)
    chunks = list(
        client.chat.completions.create(
            model=MODEL,
            messages=HAMLET,
            temperature=0,
            max_tokens=24,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert "Shakespeare" in text
    assert text == whole.choices[0].message.content
    ends = [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]
    assert ends == [whole.choices[0].finish_reason]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert {chunk.model for chunk in chunks} == {whole.model} == {MODEL}
    usage = chunks[-1].usage
    assert usage is not None and whole.usage is not None and chunks[-1].choices == []
    assert (usage.prompt_tokens, usage.completion_tokens) == (whole.usage.prompt_tokens, whole.usage.completion_tokens)
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
    assert usage.completion_tokens <= 24


def test_without_usage_asked_for_every_chunk_has_a_choice(client: OpenAI) -> None:
    stream = client.chat.completions.create(model=MODEL, messages=HAMLET, max_tokens=4, stream=True)
    assert all(chunk.choices for chunk in stream)


@pytest.mark.parametrize("streamed", [False, True])
def test_stop_words_end_the_answer_and_are_not_in_it(client: OpenAI, streamed: bool) -> None:
    asked: Any = {"model": MODEL, "messages": HAMLET, "temperature": 0, "max_tokens": 40, "stop": ["Shakespeare"]}
    if streamed:
        chunks = list(client.chat.completions.create(**asked, stream=True))
        text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
        end = [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1]
    else:
        choice = client.chat.completions.create(**asked).choices[0]
        text, end = choice.message.content or "", choice.finish_reason
    assert text and "Shakes" not in text
    assert end == "stop"


def test_a_json_schema_is_kept_to(client: OpenAI) -> None:
    messages: Any = [{"role": "user", "content": "Where is my parcel? I need it today!"}]
    done = client.chat.completions.parse(model=MODEL, messages=messages, response_format=Ticket, max_tokens=60)
    assert isinstance(done.choices[0].message.parsed, Ticket)
    with client.chat.completions.stream(
        model=MODEL, messages=messages, response_format=Ticket, max_tokens=60, temperature=0.7, top_p=0.9
    ) as stream:
        final = stream.get_final_completion()
    assert isinstance(final.choices[0].message.parsed, Ticket)


def test_a_json_object_is_json(client: OpenAI) -> None:
    messages: Any = [{"role": "user", "content": "Answer as JSON: who wrote Hamlet?"}]
    done = client.chat.completions.create(
        model=MODEL, messages=messages, response_format={"type": "json_object"}, max_tokens=24, temperature=0
    )
    text = done.choices[0].message.content or ""
    if done.choices[0].finish_reason == "stop":
        assert isinstance(json.loads(text), dict)
    else:
        assert text.lstrip().startswith("{")


def test_logprobs_are_of_the_tokens_of_the_answer(client: OpenAI) -> None:
    asked: Any = {"model": MODEL, "messages": HAMLET, "temperature": 0, "max_tokens": 8}
    plain = client.chat.completions.create(**asked)
    done = client.chat.completions.create(**asked, logprobs=True, top_logprobs=3)
    found = done.choices[0].logprobs
    assert found is not None and found.content is not None
    assert done.choices[0].message.content == plain.choices[0].message.content
    assert "".join(token.token for token in found.content).startswith(done.choices[0].message.content or "?")
    for token in found.content:
        assert token.logprob <= 0
        assert 1 <= len(token.top_logprobs) <= 3
        assert token.top_logprobs[0].logprob >= token.top_logprobs[-1].logprob


def test_several_answers_to_one_question(client: OpenAI) -> None:
    done = client.chat.completions.create(model=MODEL, messages=HAMLET, n=2, max_tokens=12, temperature=1, seed=7)
    assert [choice.index for choice in done.choices] == [0, 1]
    assert all(choice.message.content for choice in done.choices)
    single = client.chat.completions.create(model=MODEL, messages=HAMLET, max_tokens=12, temperature=1)
    assert done.usage is not None and single.usage is not None
    assert done.usage.prompt_tokens == single.usage.prompt_tokens
    assert 12 < done.usage.completion_tokens <= 24


@pytest.mark.parametrize("more", [{}, {"stream": True}, {"top_p": 0.5}, {"n": 2}])
def test_a_prompt_that_is_too_long_is_refused_with_the_figures(client: OpenAI, more: Any) -> None:
    with pytest.raises(openai.BadRequestError, match=r"8,?192") as caught:
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "word " * 9000}], **more)
    assert caught.value.code == "context_length_exceeded"


@pytest.mark.parametrize("streamed", [False, True])
def test_images_are_refused(client: OpenAI, streamed: bool) -> None:
    parts: Any = [
        {"type": "text", "text": "What?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,"}},
    ]
    with pytest.raises(openai.BadRequestError, match="image"):
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": parts}], stream=streamed)


def test_embeddings_are_refused_clearly(client: OpenAI) -> None:
    with pytest.raises(openai.APIStatusError, match=r"smollm2-135m|embedd") as caught:
        client.embeddings.create(model=MODEL, input="cat")
    assert 400 <= caught.value.status_code < 500


@pytest.mark.parametrize(
    "options",
    [
        {"max_tokens": -1},
        {"temperature": "hot"},
        {"n": 0},
        {"logprobs": "yes"},
        {"logprobs": True, "top_logprobs": 1000},
        {"stop": 5},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "no"}}}},
    ],
    ids=str,
)
def test_wrong_settings_are_refused(client: OpenAI, options: Any) -> None:
    """OpenAI takes 20 top_logprobs at most; a thousand made the engine's memory grow by gigabytes."""
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model=MODEL, messages=HAMLET, **{"max_tokens": 2, **options})
    assert 400 <= caught.value.status_code < 500


def test_a_tool_that_has_to_be_called_is_called_or_refused(client: OpenAI) -> None:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tool: Any = {"type": "function", "function": {"name": "get_weather", "parameters": parameters}}
    try:
        done = client.chat.completions.create(
            model=MODEL, messages=HAMLET, tools=[tool], tool_choice="required", temperature=0, max_tokens=40
        )
    except openai.BadRequestError as error:
        assert "tool" in error.message
    else:
        assert done.choices[0].message.tool_calls, "an answer in words is not what was asked for"


def test_more_callers_than_slots_are_all_answered(service: Any) -> None:
    async def one(client: AsyncOpenAI, streamed: bool) -> str:
        done: Any = await client.chat.completions.create(
            model=MODEL, messages=HAMLET, temperature=0, max_tokens=6, stream=streamed
        )
        if not streamed:
            return done.choices[0].message.content or ""
        return "".join([choice.delta.content or "" async for chunk in done for choice in chunk.choices])

    async def run() -> list[str]:
        async with AsyncOpenAI(base_url=service.url, api_key="anything", max_retries=0, timeout=120) as client:
            return await asyncio.gather(*(one(client, n % 2 == 1) for n in range(10)))

    answers = asyncio.run(run())
    assert len(answers) == 10
    assert all(answers)
