"""pydantic-ai's chat model of OpenAI's against `chapeta serve`: text, structured output, tools, streams."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Literal

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider


class Ticket(BaseModel):
    team: Literal["delivery", "billing"]
    urgent: bool


@pytest.fixture
def model(service: Any) -> Any:
    """Makes a model of a name."""

    def make(name: str = "openrouter/openai/gpt-4.1-mini") -> OpenAIChatModel:
        return OpenAIChatModel(name, provider=OpenAIProvider(base_url=service.url, api_key="anything"))

    return make


def test_text_and_usage(model: Any) -> None:
    result = Agent(model(), instructions="Be brief.").run_sync("one two three")
    assert result.output == "one two three"
    assert result.usage.input_tokens > 3 and result.usage.output_tokens == 3


def test_structured_output_by_a_tool_and_by_a_schema(model: Any) -> None:
    by_tool = Agent(model(), output_type=Ticket).run_sync("My parcel is late")
    assert isinstance(by_tool.output, Ticket)
    by_schema = Agent(model(), output_type=NativeOutput(Ticket)).run_sync("My parcel is late")
    assert isinstance(by_schema.output, Ticket)


def test_a_tool_is_called_and_its_result_sent(service: Any, model: Any) -> None:
    agent = Agent(model())
    cities: list[str] = []

    @agent.tool_plain
    def get_weather(city: str) -> str:
        """The weather in a city."""
        cities.append(city)
        return "sunny"

    result = agent.run_sync("Use get_weather for Paris")
    assert len(cities) == 1
    assert result.output
    turns = service.openrouter.chats[-1].json["messages"]
    assert [turn["role"] for turn in turns][-2:] == ["assistant", "tool"]
    assert "sunny" in turns[-1]["content"]


def test_a_stream(model: Any) -> None:
    async def run() -> tuple[list[str], int]:
        async with Agent(model()).run_stream("one two three") as result:
            texts = [text async for text in result.stream_text(delta=True, debounce_by=None)]
            return texts, result.usage.output_tokens

    texts, tokens_out = asyncio.run(run())
    assert "".join(texts) == "one two three"
    assert len(texts) > 1
    assert tokens_out == 3


@pytest.mark.parametrize(("fault", "status"), [("401", 401), ("402", 402), ("404", 404)])
def test_a_refusal_keeps_its_status(model: Any, fault: str, status: int) -> None:
    with pytest.raises(ModelHTTPError) as caught:
        Agent(model(f"openrouter/fault/{fault}")).run_sync("hello")
    assert caught.value.status_code == status


def test_the_embedded_model_answers_and_keeps_to_a_schema(model: Any) -> None:
    settings: Any = {"max_tokens": 60, "temperature": 0}
    text = Agent(model("smollm2-135m"), model_settings=settings).run_sync("Who wrote Hamlet?")
    assert "Shakespeare" in text.output
    ticket = Agent(model("smollm2-135m"), output_type=NativeOutput(Ticket), model_settings=settings).run_sync(
        f"Sort this note: {json.dumps('my parcel is late')}"
    )
    assert isinstance(ticket.output, Ticket)
