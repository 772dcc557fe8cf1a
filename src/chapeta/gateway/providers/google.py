"""Google's Gemini API through its OpenAI-compatible endpoint (ai.google.dev/gemini-api/docs/openai).

Its list names models "models/gemini-…"; both forms are taken in calls, the short one is ours. It tells no price and no
context. Thinking is missing from `completion_tokens` and only in `total_tokens`; `cost.py` bills the difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chapeta.gateway.providers import rows
from chapeta.gateway.providers.remote import Remote
from chapeta.types import Json, ModelInfo


def read_models(payload: Any) -> Sequence[ModelInfo]:
    return rows.lines(payload, _line)


def _line(row: Json) -> ModelInfo | None:
    return rows.plain_line("google", {**row, "id": rows.model_id(row).removeprefix("models/")})


GOOGLE = Remote(
    name="google",
    title="Google",
    base_url="https://generativelanguage.googleapis.com/v1beta/openai",
    key_variables=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    key_page="https://aistudio.google.com/apikey",
    own_ids=("gemini-", "models/gemini-"),
    read_models=read_models,
    snapshot="google",
)
