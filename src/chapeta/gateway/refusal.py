"""What a provider's refusal means: its status, its own reason and request id kept, a remedy added."""

from __future__ import annotations

import math
import re
from email.utils import parsedate_to_datetime
from time import time
from typing import Any

import msgspec

from chapeta.gateway.fault import Fault
from chapeta.gateway.http.response import Response
from chapeta.types import Json

MOST_RAW_CHARACTERS = 4000
LONGEST_WAIT_S = 30 * 24 * 3600.0
REQUEST_IDS = (b"x-request-id", b"x-generation-id", b"request-id", b"cf-ray")

CONTEXT = re.compile(
    r"context.{0,20}(length|window|limit)|maximum.{0,12}context|too many tokens|prompt is too long", re.I
)
MAX_TOKENS = re.compile(r"fewer max_tokens|can only afford|max_tokens", re.I)


def of_response(response: Response, body: bytes, provider: str, title: str) -> Fault:
    """The fault behind an answer whose status is not 200."""
    if 300 <= response.status < 400:
        return _redirect(response, provider, title)
    error = _error(body)
    status = response.status if response.status >= 400 else 502
    fault = (
        of_error(error, status, provider, title) if error is not None else _unreadable(response, body, provider, title)
    )
    fault.request_id = fault.request_id or request_id(response)
    if fault.retry_after_s is None:
        exactly = _retry_after(response.header(b"retry-after-ms"))  # OpenAI's, beside whole seconds
        fault.retry_after_s = (
            _retry_after(response.header(b"retry-after")) if exactly is None else min(exactly / 1000, LONGEST_WAIT_S)
        )
    return fault


def of_error(error: Json, status: int, provider: str, title: str) -> Fault:
    """The fault behind a provider's error object, of an answer or of an event in mid-stream.

    status: that of the answer; an HTTP-like number in the error's own `code` is better.
    """
    code = error.get("code")
    if isinstance(code, int) and 400 <= code < 600:
        status = code
    elif isinstance(code, str) and code.isdigit() and 400 <= int(code) < 600:
        status = int(code)
    metadata = error.get("metadata") if isinstance(error.get("metadata"), dict) else {}
    assert isinstance(metadata, dict)
    said = str(error.get("message") or error.get("type") or "no reason given")
    raw = _text(metadata.get("raw")) or _text(metadata.get("reasons"))
    behind = metadata.get("provider_name")
    who = f"{title} ({behind})" if behind else title
    context = status in (400, 413, 422) and CONTEXT.search(f"{said} {raw} {code}") is not None
    return Fault(
        status,
        f"{who} says: {said.rstrip('.')[:2000]}.",
        remedy_for(status, said, provider, title, context),
        code="context_length_exceeded"
        if context
        else code
        if isinstance(code, str) and not code.isdigit()
        else CODES.get(status, ""),
        provider=provider,
        raw=raw[:MOST_RAW_CHARACTERS],
        request_id=str(error.get("request_id") or ""),
        param=error["param"] if isinstance(error.get("param"), str) else None,
    )


def remedy_for(status: int, said: str, provider: str, title: str, context: bool = False) -> str:
    """The next step, by what went wrong."""
    if context:
        return (
            "Shorten the messages, lower max_tokens, or choose a larger window: `chapeta models list --sort context`."
        )
    if status == 402 and MAX_TOKENS.search(said):
        return f"Lower max_tokens, or add credits at {title}."
    return REMEDIES.get(status, REMEDIES[500 if status >= 500 else 400]).format(provider=provider, title=title)


def request_id(response: Response) -> str:
    """The provider's own name for the call, for its support."""
    for name in REQUEST_IDS:
        if name in response.headers:
            return response.header(name)
    return ""


CODES = {
    401: "provider_key_refused",
    402: "no_credits",
    403: "refused",
    404: "model_not_found",
    408: "timeout",
    429: "rate_limited",
}
REMEDIES = {
    400: "Change the request as the reason says.",
    401: "The key is wrong, expired or revoked: set it anew with `chapeta keys set {provider}`.",
    402: "Add credits at {title}, or raise the key's limit there (`chapeta keys list --check` shows it).",
    403: "It was flagged by moderation, or the key may not use this model: rephrase it, or choose another model.",
    404: "Check the model's id: `chapeta models list WORD` searches.",
    408: "Try again, or choose a faster model.",
    413: "Send less at once.",
    422: "Change the request as the reason says.",
    429: "Wait and send fewer calls at once, or give fallbacks: \"models\": [\"a\", \"b\"].",
    500: "Try again; if it stays so, choose another model or give fallbacks: \"models\": [\"a\", \"b\"].",
}  # fmt: skip


def _error(body: bytes) -> Json | None:
    """The error object of a body: `{"error": {…}}`, `{"error": "…"}`, `[{"error": …}]` or `{"message": …}`."""
    try:
        value: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, dict):
        return None
    error = value.get("error", value)
    if isinstance(error, dict):
        if error is not value and "request_id" in value:
            error = {**error, "request_id": value["request_id"]}
        return error if any(key in error for key in ("message", "code", "type")) else {"message": _text(error)[:500]}
    return {"message": str(error)}


def _redirect(response: Response, provider: str, title: str) -> Fault:
    """A redirect is not followed: it would carry the key to another address."""
    where = response.header(b"location")[:200] or "nowhere"
    remedy = f"If that is right, set the address: `chapeta keys set {provider} --url URL`."
    message = f"{title} answered with a redirect to {where}, which is not followed."
    return Fault(502, message, remedy, "redirect", provider=provider, sent=True)


def _unreadable(response: Response, body: bytes, provider: str, title: str) -> Fault:
    kind = response.header(b"content-type").partition(";")[0] or "no content type"
    start = body[:200].decode("utf-8", "replace")
    status = response.status if response.status >= 400 else 502
    return Fault(
        status,
        f"{title} answered {response.status} with {kind} instead of JSON.",
        remedy_for(status, start, provider, title),
        code=CODES.get(status, "not_json"),
        provider=provider,
        raw=start,
    )


def _retry_after(value: str) -> float | None:
    """Seconds from a Retry-After header: a number, or a date."""
    if not value:
        return None
    try:
        seconds = float(value)
        return min(max(0.0, seconds), LONGEST_WAIT_S) if math.isfinite(seconds) else None
    except ValueError:
        pass
    try:
        return min(max(0.0, parsedate_to_datetime(value).timestamp() - time()), LONGEST_WAIT_S)
    except (ValueError, TypeError, OverflowError):
        return None


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
