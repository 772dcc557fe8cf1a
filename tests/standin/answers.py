"""What the stand-in answers to a chat request, and how it counts: a function of the request alone.

A token is up to 12 characters without white space, with the white space before it: a word, mostly. A message costs 3 tokens
on top of its text, a picture 258, tool definitions their JSON. Tests count the same way with `tokens` and `count_prompt`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from .catalogue import Counts, bare, cost
from .shapes import fitting

Json = dict[str, Any]

MESSAGE_TOKENS = 3
IMAGE_TOKENS = 258
REASONING_TOKENS = {"minimal": 4, "low": 8, "medium": 16, "high": 32, "xhigh": 64, "max": 64, "none": 0}
MOST_DELTAS = 1000  # a longer answer comes in larger pieces
PIECE = re.compile(r"\s*\S{1,12}|\s+")


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the `n` answers; `text` is None where a tool is called."""

    text: str | None
    finish: str
    reasoning: str = ""
    tool_calls: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, before it is written in a dialect, at once or in pieces."""

    id: str
    created: int
    model: str
    provider: str
    choices: tuple[Choice, ...]
    counts: Counts
    pricing: Json
    body: Json = field(repr=False)

    @property
    def usd(self) -> float:
        return float(cost(self.pricing, self.counts).total)


def tokens(text: str) -> list[str]:
    """The tokens of a text; joined they are the text."""
    return PIECE.findall(text)


def answer(body: Json, model: Json, said: str | None, cached: set[str]) -> Answer:
    """The answer to a request; `said` replaces the echo, `cached` remembers the prompt parts marked with cache_control."""
    text = last_question(body) if said is None else said
    calls = _tool_calls(body, text)
    shape = body.get("response_format") or {}
    if said is None and shape.get("type") == "json_schema":
        text = json.dumps(fitting(shape["json_schema"]["schema"], text), ensure_ascii=False)
    elif said is None and shape.get("type") == "json_object":
        text = json.dumps({"answer": text}, ensure_ascii=False)
    reasoning = _reasoning(body, model)
    choices = tuple(_choice(body, text, reasoning, calls, number) for number in range(body.get("n") or 1))
    return Answer("", 0, model["id"], "", choices, _counts(body, reasoning, choices, cached), model["pricing"], body)


def last_question(body: Json) -> str:
    """The text of the last user message (or of the last message), which is what is echoed."""
    messages = [message for message in body["messages"] if message.get("role") == "user"] or body["messages"]
    return "".join(text for text, _ in _parts(messages[-1])) or "(nothing was asked)"


def count_prompt(body: Json) -> int:
    """Prompt tokens of a chat request."""
    text = sum(MESSAGE_TOKENS + sum(len(tokens(text)) for text, _ in _parts(one)) for one in body["messages"])
    extra = len(tokens(json.dumps(body["tools"]))) if body.get("tools") else 0
    return text + IMAGE_TOKENS * count_images(body) + extra


def count_images(body: Json) -> int:
    contents = [one["content"] for one in body["messages"] if isinstance(one.get("content"), list)]
    return sum(part.get("type") == "image_url" for parts in contents for part in parts)


def whole(found: Answer, dialect: str) -> Json:
    """The answer as one JSON object."""
    choices = [
        _finished({"index": index, "message": _message(choice, found, dialect)}, choice, found, dialect)
        for index, choice in enumerate(found.choices)
    ]
    fingerprint = {"system_fingerprint": "fp_standin" if dialect == "openai" else None}
    head = _head(found, dialect, "chat.completion")
    return {**head, **fingerprint, "choices": choices, "usage": usage(found, dialect)}


def chunks(found: Answer, dialect: str) -> Iterator[Json]:
    """The answer as the JSON objects of a stream, the usage last."""
    head = _head(found, dialect, "chat.completion.chunk")
    asked = bool((found.body.get("stream_options") or {}).get("include_usage"))
    blank: Json = {"usage": None} if dialect == "openai" and asked else {}
    for index, choice in enumerate(found.choices):
        for number, delta in enumerate(_deltas(choice, dialect)):
            part: Json = {"index": index, "delta": {**({"role": "assistant"} if number == 0 else {}), **delta}}
            part["finish_reason"] = None
            if found.body.get("logprobs") and delta.get("content"):
                part["logprobs"] = logprobs(delta["content"], found.body)
            yield {**head, "choices": [part], **blank}
        last = _finished({"index": index, "delta": {}}, choice, found, dialect)
        last.pop("logprobs", None)
        yield {**head, "choices": [last], **blank}
    if dialect == "openrouter" or asked:
        yield {**head, "choices": [], "usage": usage(found, dialect)}


def usage(found: Answer, dialect: str) -> Json:
    """Token counts; OpenRouter adds what the call cost."""
    counts = found.counts
    value: Json = {
        "prompt_tokens": counts.prompt,
        "completion_tokens": counts.completion,
        "total_tokens": counts.prompt + counts.completion,
        "prompt_tokens_details": {"cached_tokens": counts.cached, "cache_write_tokens": counts.cache_written},
        "completion_tokens_details": {"reasoning_tokens": counts.reasoning, "audio_tokens": 0},
    }
    if dialect == "openai":
        value["prompt_tokens_details"]["image_tokens"] = counts.images * IMAGE_TOKENS
        return value
    parts = cost(found.pricing, counts)
    details = {
        "upstream_inference_cost": None,
        "upstream_inference_prompt_cost": float(parts.prompt),
        "upstream_inference_completions_cost": float(parts.completion),
    }
    return {**value, "cost": found.usd, "is_byok": False, "cost_details": details}


def logprobs(text: str, body: Json) -> Json:
    """A made-up but steady logprob a token, with the alternatives asked for."""

    def one(token: str, logprob: float) -> Json:
        return {"token": token, "logprob": logprob, "bytes": list(token.encode())}

    found = []
    for number, token in enumerate(tokens(text)):
        likely = -0.125 * (number % 4)
        others = [
            one(token if rank == 0 else f"{token}~{rank}", likely - rank)
            for rank in range(body.get("top_logprobs") or 0)
        ]
        found.append({**one(token, likely), "top_logprobs": others})
    return {"content": found, "refusal": None}


def _head(found: Answer, dialect: str, kind: str) -> Json:
    head = {"id": found.id, "object": kind, "created": found.created, "model": found.model}
    return {**head, "provider": found.provider} if dialect == "openrouter" else {**head, "model": bare(found.model)}


def _finished(part: Json, choice: Choice, found: Answer, dialect: str) -> Json:
    """A choice with why it ended; OpenRouter adds the model's own word for it."""
    asked = bool(found.body.get("logprobs")) and bool(choice.text)
    part |= {"finish_reason": choice.finish, "logprobs": logprobs(choice.text or "", found.body) if asked else None}
    return {**part, "native_finish_reason": choice.finish} if dialect == "openrouter" else part


def _message(choice: Choice, found: Answer, dialect: str) -> Json:
    message: Json = {"role": "assistant", "content": choice.text, "refusal": None}
    if choice.tool_calls:
        message["tool_calls"] = list(choice.tool_calls)
    if choice.reasoning and dialect == "openrouter":
        message |= {"reasoning": choice.reasoning, "reasoning_details": [_thought(choice.reasoning)]}
    return message


def _thought(text: str) -> Json:
    return {"type": "reasoning.text", "text": text, "format": "unknown", "index": 0}


def _deltas(choice: Choice, dialect: str) -> Iterator[Json]:
    if choice.reasoning and dialect == "openrouter":
        for piece in tokens(choice.reasoning):
            yield {"content": "", "reasoning": piece, "reasoning_details": [_thought(piece)]}
    for index, call in enumerate(choice.tool_calls):
        function = call["function"]
        first = {"index": index, "id": call["id"], "type": "function"}
        yield {"content": None, "tool_calls": [{**first, "function": {"name": function["name"], "arguments": ""}}]}
        for piece in tokens(function["arguments"]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
    pieces = tokens(choice.text or "")
    step = 1 + len(pieces) // MOST_DELTAS
    for start in range(0, len(pieces), step):
        yield {"content": "".join(pieces[start : start + step])}


def _parts(message: Json) -> list[tuple[str, Json]]:
    """The texts of a message, each with the content part that it came from."""
    content = message.get("content")
    if isinstance(content, list):
        return [(part.get("text") or "", part) for part in content if part.get("type") == "text"]
    return [(content or "", {})]


def _choice(body: Json, text: str, reasoning: str, calls: tuple[Json, ...], number: int) -> Choice:
    if calls:
        return Choice(None, "tool_calls", reasoning, calls)
    text = text if number == 0 else f"{text} ({number + 1})"
    stops = body.get("stop") or []
    for stop in [stops] if isinstance(stops, str) else stops:
        text = text.partition(stop)[0]
    most = body.get("max_completion_tokens") or body.get("max_tokens")
    pieces = tokens(text)
    room = len(pieces) if most is None else max(0, most - len(tokens(reasoning)))
    return Choice("".join(pieces[:room]), "length" if room < len(pieces) else "stop", reasoning)


def _tool_calls(body: Json, text: str) -> tuple[Json, ...]:
    """A call where `tool_choice` forces one, or where the last message comes from the user and names a tool."""
    tools = [tool["function"] for tool in body.get("tools") or () if tool.get("type") == "function"]
    choice = body.get("tool_choice", "auto")
    if isinstance(choice, dict):
        picked = [tool for tool in tools if tool["name"] == choice["function"]["name"]]
    elif choice == "required":
        picked = [tool for tool in tools if tool["name"] in text] or tools
    else:
        asked = choice == "auto" and body["messages"][-1].get("role") == "user"
        picked = [tool for tool in tools if asked and tool["name"] in last_question(body)]
    calls = []
    for tool in picked[:1]:
        arguments = json.dumps(fitting(tool.get("parameters") or {"type": "object"}, text), ensure_ascii=False)
        name = hashlib.sha256(f"{tool['name']}{arguments}".encode()).hexdigest()[:24]
        calls.append(
            {"id": f"call_{name}", "type": "function", "function": {"name": tool["name"], "arguments": arguments}}
        )
    return tuple(calls)


def _reasoning(body: Json, model: Json) -> str:
    """The hidden thinking that was asked for; "" for models that cannot."""
    asked = body.get("reasoning") or {}
    must = bool(model.get("reasoning", {}).get("mandatory"))
    effort = (
        asked.get("effort") or body.get("reasoning_effort") or ("medium" if must or asked.get("enabled") else "none")
    )
    size = asked.get("max_tokens") or REASONING_TOKENS[effort]
    if "reasoning" not in model["supported_parameters"]:
        return ""
    return "".join(tokens("Let me think about it. " * (1 + size // 5))[:size])


def _counts(body: Json, reasoning: str, choices: tuple[Choice, ...], cached: set[str]) -> Counts:
    thought = len(tokens(reasoning))
    spoken = sum(
        len(tokens(choice.text or "")) + sum(len(tokens(json.dumps(call["function"]))) for call in choice.tool_calls)
        for choice in choices
    )
    counts = Counts(count_prompt(body), spoken + thought * len(choices), images=count_images(body))
    counts = replace(counts, reasoning=thought * len(choices))
    for message in body["messages"]:
        for text, part in _parts(message):
            if "cache_control" in part:
                known = text in cached
                cached.add(text)
                size = len(tokens(text))
                counts = replace(
                    counts,
                    cached=counts.cached + size * known,
                    cache_written=counts.cache_written + size * (not known),
                )
    return counts
