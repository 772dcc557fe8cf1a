"""Anthropic through its OpenAI-compatible endpoint, which it offers for trying models out rather than for production.

What that endpoint does (platform.claude.com/docs/en/api/openai-sdk):
- ignored without a word: response_format, `strict` of tools, seed, logprobs, logit_bias, presence_penalty,
  frequency_penalty, reasoning_effort, user, metadata; `n` has to be 1; a temperature above 1 becomes 1;
- all system messages are joined and moved to the front; there is no prompt caching, so usage tells no cached tokens;
- `thinking` works, but the thoughts do not come back.
Chat takes the key as a bearer token. The list of models is of the native API and does not: "Invalid bearer token"
(iOfficeAI/AionUi#275, moeru-ai/airi#729); it wants x-api-key and anthropic-version.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chapeta.gateway.providers import rows
from chapeta.gateway.providers.remote import Headers, Remote
from chapeta.types import Json, ModelInfo

API_VERSION = "2023-06-01"
PARAMETERS = ("max_completion_tokens", "max_tokens", "parallel_tool_calls", "stop", "tools")


def read_models(payload: Any) -> Sequence[ModelInfo]:
    return rows.lines(payload, _line)


def _line(row: Json) -> ModelInfo | None:
    model = rows.model_id(row)
    if not model:
        return None
    can = rows.part(row, "capabilities")
    inputs = [kind for kind, name in (("image", "image_input"), ("file", "pdf_input")) if _supported(can, name)]
    retires = rows.day(row.get("retires_at"))
    if row.get("lifecycle") == "retired":  # stays in the list as a record
        retires = retires or rows.day(row.get("deprecated_at")) or rows.day(row.get("created_at"))
    return ModelInfo(
        id=f"anthropic/{model}",
        provider="anthropic",
        name=rows.text(row, "display_name"),
        context_tokens=rows.count(row, "max_input_tokens"),
        inputs=("text", *inputs) if can else (),
        outputs=("text",),
        parameters=PARAMETERS,
        created=rows.day(row.get("created_at")),
        retires=retires,
    )


def _supported(capabilities: Json, name: str) -> bool:
    return rows.part(capabilities, name).get("supported") is True


def _lookup_auth(key: str) -> Headers:
    return (("x-api-key", key), ("anthropic-version", API_VERSION))


ANTHROPIC = Remote(
    name="anthropic",
    title="Anthropic",
    base_url="https://api.anthropic.com/v1",
    key_variables=("ANTHROPIC_API_KEY",),
    key_page="https://platform.claude.com/settings/keys",
    own_ids=("claude-",),
    check_path="/models?limit=1",
    models_path="/models?limit=1000",  # 20 by default
    read_models=read_models,
    lookup_auth=_lookup_auth,
    snapshot="anthropic",
)
