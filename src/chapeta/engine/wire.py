"""What the engine's process is asked and what it answers, in OpenAI's form: requests made ours, answers made OpenAI's."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

from chapeta import __version__
from chapeta.engine.llama import ContextTooSmall, Engine
from chapeta.errors import BadInput
from chapeta.types import Answer, Constraint, Decoding, Json, Labels, Message, Request, Role, Schema

# what our own path understands; anything beyond goes to llama.cpp's own chat completions
PLAIN = frozenset((
    "model", "messages", "max_tokens", "max_completion_tokens", "temperature", "seed", "stream", "stream_options", "user",
    "metadata", "store", "chapeta", "provider", "transforms", "usage",
))  # fmt: skip
DEFAULT_TOKENS = 512
FINGERPRINT = f"chapeta-{__version__}"
MOST_LOGPROBS = 20


def request_of(data: Json) -> Request | None:
    """A request as ours; None where it or its messages have more than our own path understands."""
    if set(data) - PLAIN and not _is_schema(data):
        return None
    messages: list[Message] = []
    for turn in data["messages"]:
        content = turn.get("content")
        if isinstance(content, list) and all(part.get("type") == "text" for part in content):
            content = "".join(part["text"] for part in content)
        role = "system" if turn["role"] == "developer" else turn["role"]
        if not isinstance(content, str) or role not in ("system", "user", "assistant") or turn.get("tool_calls"):
            return None
        messages.append(Message(cast(Role, role), content))
    ours = data["chapeta"]
    constraint: Constraint | None = Labels(tuple(ours["labels"])) if ours.get("labels") else None
    if constraint is None and _is_schema(data):
        constraint = Schema(_checked_schema(data["response_format"]["json_schema"]))
    room = data.get("max_completion_tokens") or data.get("max_tokens") or DEFAULT_TOKENS
    temperature = data.get("temperature")
    decoding = Decoding(
        room, constraint, 1.0 if temperature is None else float(temperature), int(data.get("seed") or 0)
    )
    return Request(str(Path(ours["file"])), tuple(messages), decoding, ours["adapter"])


def _is_schema(data: Json) -> bool:
    """Whether the only thing beyond a plain request is a JSON schema for the answer."""
    form = data.get("response_format")
    return set(data) - PLAIN == {"response_format"} and isinstance(form, dict) and "json_schema" in form


def _checked_schema(form: Json) -> Json:
    """The schema of a `response_format`. Raises BadInput if it is none."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    schema = form.get("schema") if isinstance(form, dict) else None
    if not isinstance(schema, dict):
        raise BadInput("`response_format.json_schema` has no `schema`.", "Give a JSON schema.")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise BadInput(f"`response_format` is no JSON schema ({error.message[:200]}).", "Mend it.") from None
    return schema


def require_known(data: Json) -> None:
    """Raises BadInput for what llama.cpp would overlook: images, tools that have to be called, values out of range."""
    if data.get("tools") and data.get("tool_choice") not in (None, "auto", "none"):
        raise BadInput(
            "The local model cannot be made to call a tool.", "Choose another model, or leave tool_choice out."
        )
    if not 0 <= (data.get("top_logprobs") or 0) <= MOST_LOGPROBS:
        raise BadInput(f"`top_logprobs` is {data['top_logprobs']}.", f"Give 0 to {MOST_LOGPROBS}.")
    stop = data.get("stop")
    if stop is not None and not (
        isinstance(stop, str) or (isinstance(stop, list) and all(isinstance(s, str) for s in stop))
    ):
        raise BadInput(f"`stop` is {str(stop)[:80]}.", "Give a text, or a list of texts.")
    for turn in data["messages"]:
        content = turn.get("content")
        for part in content if isinstance(content, list) else ():
            if part.get("type") != "text":
                raise BadInput(f"The local model takes no '{part.get('type')}', only text.", "Choose another model.")


def counter(data: Json) -> Callable[[Engine], int]:
    """Tokens of a bare text, or of a conversation in the model's template, ready for its answer."""
    if "messages" not in data:
        return lambda engine: engine.count_tokens(data["text"])
    messages = [Message(role, content) for role, content in data["messages"]]
    return lambda engine: len(engine.prompt_tokens(messages))


def completion(answer: Answer, model: str) -> Json:
    """An answer as OpenAI's chat completion."""
    message = {"role": "assistant", "content": answer.text, "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": answer.finish, "logprobs": None}
    head = {"id": f"chatcmpl-{os.urandom(8).hex()}", "object": "chat.completion", "created": int(time.time())}
    return {**head, "model": model, "system_fingerprint": FINGERPRINT, "choices": [choice], "usage": usage_of(answer)}


def choice(delta: Json, finish: str | None) -> Json:
    return {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}


def usage_of(answer: Answer) -> Json:
    usage = answer.usage
    return {
        "prompt_tokens": usage.tokens_in,
        "completion_tokens": usage.tokens_out,
        "total_tokens": usage.tokens_in + usage.tokens_out,
        "prompt_tokens_details": {"cached_tokens": usage.tokens_cached},
    }


def named(said: bytes, data: Json, engine: Engine | None) -> bytes:
    """llama.cpp's answer with the model's own name, which is a path there, and the fields that OpenAI's clients expect.

    engine: counts the tokens of several choices, of which llama.cpp tells one choice's alone.
    """
    value: Json = json.loads(said)
    value["model"] = data["model"]
    value.pop("timings", None)
    if "error" not in value:
        value["system_fingerprint"] = FINGERPRINT
        if engine is not None and len(value["choices"]) > 1:
            usage = value["usage"]
            counts = [
                engine.count_tokens(c["message"].get("content") or "") + (c["finish_reason"] == "stop")
                for c in value["choices"]
            ]
            usage["completion_tokens"] = sum(counts)
            usage["total_tokens"] = usage["prompt_tokens"] + usage["completion_tokens"]
        value.setdefault("id", f"chatcmpl-{os.urandom(8).hex()}")
        for choice in value["choices"]:
            choice.setdefault("logprobs", None)
            if "message" in choice:
                choice["message"].setdefault("refusal", None)
    return json.dumps(value).encode()


def raise_for_context(said: bytes, room: int) -> None:
    """llama.cpp's refusal for want of context as ours, so that more is loaded."""
    try:
        error = json.loads(said)["error"]
        needed = int(error["n_prompt_tokens"]) + room
    except (ValueError, KeyError, TypeError):
        return
    raise ContextTooSmall(needed, int(error.get("n_ctx", 0)))
