"""How each dialect says no: status, headers and body of every error the stand-in can answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
UNSAID = "Provider returned error"


@dataclass(frozen=True, slots=True)
class Problem:
    """An error in both dialects: OpenRouter's message and metadata, OpenAI's type and code."""

    status: int
    message: str
    metadata: Json = field(default_factory=dict)
    kind: str = "invalid_request_error"
    code: str | None = None
    param: str | None = None
    retry_after_s: int | None = None


def headers(problem: Problem) -> dict[str, str]:
    found = {} if problem.retry_after_s is None else {"retry-after": str(problem.retry_after_s)}
    return found | ({"x-ratelimit-limit": "20", "x-ratelimit-remaining": "0"} if problem.status == 429 else {})


def body(problem: Problem, dialect: str) -> Json:
    """The JSON object of the answer."""
    if dialect == "openai":
        said = {"message": problem.message, "type": problem.kind, "param": problem.param, "code": problem.code}
        return {"error": said}
    error: Json = {"code": problem.status, "message": problem.message}
    if problem.metadata:
        error["metadata"] = problem.metadata
    return {"error": error, "user_id": "user_2standin0000000000000000000"}


def no_key(dialect: str) -> Problem:
    if dialect == "openai":
        said = "You didn't provide an API key. You need to provide your API key in an Authorization header."
        return Problem(401, said)
    return Problem(401, "No auth credentials found")


def wrong_key(dialect: str, key: str) -> Problem:
    if dialect == "openai":  # as OpenAI does, with the ends of the key in it
        said = f"Incorrect API key provided: {key[:8]}{'*' * 12}{key[-4:]}."
        return Problem(401, said, code="invalid_api_key")
    return Problem(401, "User not found.")


def no_model(dialect: str, model_id: str) -> Problem:
    if dialect == "openai":
        said = f"The model `{model_id}` does not exist or you do not have access to it."
        return Problem(404, said, code="model_not_found")
    return Problem(400, f"{model_id} is not a valid model ID")


def too_long(limit: int, asked: int) -> Problem:
    said = (
        f"This endpoint's maximum context length is {limit} tokens. However, you requested about {asked} tokens. "
        "Please reduce the length of either one, or use context compression."
    )
    return Problem(
        400, said, {"error_type": "context_length_exceeded"}, code="context_length_exceeded", param="messages"
    )


def too_dear(asked: int, affordable: int) -> Problem:
    said = (
        f"This request requires more credits, or fewer max_tokens. You requested up to {asked} tokens, but can only "
        f"afford {affordable}. To increase, visit https://openrouter.ai/settings/credits and upgrade to a paid account"
    )
    return Problem(402, said, {"provider_name": None}, "insufficient_quota", "insufficient_quota")


MODERATED = {
    "reasons": ["violence"],
    "flagged_input": "how do I ...",
    "provider_name": "OpenAI",
    "model_slug": "openai/gpt-4.1-mini",
}

PROBLEMS = {
    "400": Problem(400, "Invalid request parameters", {"raw": "temperature: must be at most 2", "provider_name": "OpenAI"}),
    "401": Problem(401, "User not found.", code="invalid_api_key"),
    "402": Problem(
        402, "Insufficient credits. Add more using https://openrouter.ai/settings/credits", {},
        "insufficient_quota", "insufficient_quota",
    ),
    "402-max-tokens": too_dear(32_000, 1_234),
    "403": Problem(403, "Your input was flagged by moderation.", MODERATED, "permission_error", "content_policy_violation"),
    "404": Problem(404, "No endpoints found that support this request.", {}, code="not_found"),
    "408": Problem(408, "Request timed out", {}, "timeout_error", "timeout"),
    "413": Problem(413, "Request payload is too large", {"error_type": "payload_too_large"}, code="payload_too_large"),
    "context": too_long(8_192, 9_216),
    "422": Problem(422, "messages.0.content: expected text", {}),
    "429": Problem(
        429, UNSAID, {"raw": "The model is temporarily rate-limited upstream.", "provider_name": "Together"},
        "rate_limit_error", "rate_limit_exceeded", retry_after_s=1,
    ),
    "500": Problem(500, "Internal Server Error", {}, "server_error"),
    "502": Problem(
        502, UNSAID, {"raw": "upstream connect error: reset before headers", "provider_name": "Azure"}, "server_error",
    ),
    "503": Problem(
        503, "There is no available model provider that meets your routing requirements", {}, "server_error",
        "overloaded", retry_after_s=1,
    ),
    "524": Problem(524, "Provider request timed out at the edge", {}, "server_error"),
    "529": Problem(529, UNSAID, {"raw": "Overloaded", "provider_name": "Anthropic"}, "overloaded_error", "overloaded"),
}  # fmt: skip
