"""OpenAI itself. Its list of models tells no price, context or modality: those come from the price list of genai-prices.

`gpt-` alone is not a beginning that is OpenAI's own: gpt-oss-… are open weights that others serve and OpenAI does not.
`shutdown_date` is new in the list (openai-openapi 2.3.0): the day on which the model goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from chapeta.gateway.providers import rows
from chapeta.gateway.providers.remote import Remote
from chapeta.types import Json, ModelInfo

GENERATIONS = tuple(f"gpt-{number}" for number in range(3, 10))
KINDS = ("gpt-audio", "gpt-chat", "gpt-image", "gpt-realtime", "gpt-rosalind", "chatgpt-", "codex-", "computer-use-")


def read_models(payload: Any) -> Sequence[ModelInfo]:
    return rows.lines(payload, _line)


def _line(row: Json) -> ModelInfo | None:
    line = rows.plain_line("openai", row)
    return line and replace(line, retires=rows.day(row.get("shutdown_date")))


OPENAI = Remote(
    name="openai",
    title="OpenAI",
    base_url="https://api.openai.com/v1",
    key_variables=("OPENAI_API_KEY",),
    key_page="https://platform.openai.com/api-keys",
    own_ids=(*GENERATIONS, *KINDS, "o1", "o3", "o4", "ft:", "text-embedding-"),
    read_models=read_models,
    snapshot="openai",
)
