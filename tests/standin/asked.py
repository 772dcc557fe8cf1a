"""Chat and embeddings: which model and provider answer, or why none does; the answer as JSON or as a stream."""

from __future__ import annotations

import base64
import hashlib
import math
import struct
import time
from dataclasses import replace
from decimal import Decimal

from . import errors
from .answers import Answer, answer, chunks, count_images, count_prompt, tokens, whole
from .catalogue import MODELS, Counts, cost, find, providers, speaks
from .errors import Problem
from .faults import Fault
from .scene import DONE, PROCESSING, Json, event, json_reply
from .state import Page, State
from .wire import Record, Reply

VECTOR_SIZE = 16


def chat(state: State, record: Record) -> Page | Problem:
    """POST /chat/completions."""
    body = record.json
    if body is None:
        return Problem(400, "Invalid JSON in the request's body")
    if not isinstance(body.get("messages"), list) or not body["messages"]:
        return Problem(400, "Input required: specify 'messages'", param="messages")
    model_id, fault = _pick(state, body)
    model = MODELS[0] if fault else find(model_id)
    if model is None:
        return errors.no_model(state.dialect, model_id)
    refused = _unfit(body, model)
    if refused:
        return refused
    provider = _provider(body, model)
    if provider is None:
        return Problem(404, "No allowed providers are available for the selected model.", {"provider_name": None})
    said = state.say(body) if callable(state.say) else state.say
    digest = hashlib.sha256(f"{next(state.numbers)}".encode()).hexdigest()
    name = f"gen-{int(time.time())}-{digest[:20]}" if state.dialect == "openrouter" else f"chatcmpl-{digest[:29]}"
    found = replace(answer(body, model, said, state.cached), id=name, created=int(time.time()), provider=provider)
    if state.dialect == "openai" and not fault:
        found = replace(found, model=model_id)
    state.spent_usd += cost(found.pricing, found.counts).total
    state.generations[name] = (found, record)
    return _written(state, found, bool(body.get("stream")), fault)


def _written(state: State, found: Answer, streamed: bool, fault: Fault | None) -> Page:
    headers = (
        {"x-generation-id": found.id} if state.dialect == "openrouter" else {"x-request-id": f"req_{found.id[-20:]}"}
    )
    value = whole(found, state.dialect)
    if not streamed:
        return Page(json_reply(200, value, headers, state.dialect), value, fault)
    events = [event(chunk) for chunk in chunks(found, state.dialect)]
    if state.dialect == "openrouter":
        events = [PROCESSING, *events[:1], PROCESSING, *events[1:]]
    return Page(Reply(200, {"cache-control": "no-cache", **headers}, [*events, DONE], streamed=True), value, fault)


def _pick(state: State, body: Json) -> tuple[str, Fault | None]:
    """The first model of `model` and `models` that does not fail at once, as OpenRouter does; else the last."""
    more = body.get("models") or [] if state.dialect == "openrouter" else []
    wanted = [name for name in (body.get("model"), *more) if name] or [MODELS[0]["id"]]
    for model_id in wanted:
        fault = Fault.of_model(model_id)
        if fault is None or not fault.is_status:
            break
    return model_id, fault


def _unfit(body: Json, model: Json) -> Problem | None:
    """Why the model cannot take the request."""
    if not speaks(model):
        return Problem(404, f"No endpoints found for {model['id']} that support text output")
    if count_images(body) and "image" not in model["architecture"]["input_modalities"]:
        return Problem(404, "No endpoints found that support image input")
    if body.get("tools") and "tools" not in model["supported_parameters"]:
        return Problem(404, "No endpoints found that support tool use.")
    asked = count_prompt(body) + (body.get("max_completion_tokens") or body.get("max_tokens") or 0)
    if asked > model["context_length"]:
        return errors.too_long(model["context_length"], asked)
    return None


def _provider(body: Json, model: Json) -> str | None:
    """Who answers, by the `provider` object: `only`, `ignore`, `order` and `max_price` (USD per million) are honoured."""
    wish = body.get("provider") or {}
    names = {name.lower().replace(" ", "-"): name for name in providers(model)}
    order = [slug for slug in wish.get("order") or () if slug.lower() in names]
    for slug in [*order, *names]:
        allowed = slug in (wish.get("only") or names) and slug not in (wish.get("ignore") or ())
        dear = any(
            Decimal(model["pricing"].get(kind, "0")) * 1_000_000 > Decimal(str(most))
            for kind, most in (wish.get("max_price") or {}).items()
        )
        if allowed and not dear:
            return names[slug.lower()]
    return None


def embeddings(state: State, record: Record) -> Page | Problem:
    """POST /embeddings."""
    body = record.json
    if body is None or "input" not in body:
        return Problem(400, "Input required: specify 'input'", param="input")
    model_id = body.get("model") or ""
    fault = Fault.of_model(model_id)
    model = MODELS[-1] if fault else find(model_id)
    if model is None or "embeddings" not in model["architecture"]["output_modalities"]:
        return errors.no_model(state.dialect, model_id)
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    vectors = [vector(str(text), body.get("dimensions") or VECTOR_SIZE) for text in texts]
    packed = body.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": index, "embedding": _pack(one) if packed else one}
        for index, one in enumerate(vectors)
    ]
    used = sum(len(tokens(str(text))) for text in texts)
    usage: Json = {"prompt_tokens": used, "total_tokens": used}
    price = cost(model["pricing"], Counts(used, 0)).total
    state.spent_usd += price
    if state.dialect == "openrouter":
        usage["cost"] = float(price)
    value = {"object": "list", "data": data, "model": body["model"], "usage": usage}
    return Page(json_reply(200, value, None, state.dialect), value, fault)


def vector(text: str, size: int) -> list[float]:
    """A vector of length 1, the same for the same text."""
    raw = [hashlib.sha256(f"{number}:{text}".encode()).digest()[0] - 127.5 for number in range(size)]
    length = math.sqrt(sum(value * value for value in raw))
    return [value / length for value in raw]


def _pack(values: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()
