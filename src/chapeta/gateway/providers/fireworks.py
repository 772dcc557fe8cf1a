"""Fireworks: open models, and models tuned there, all named accounts/ACCOUNT/models/MODEL. Its list tells no price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from chapeta.gateway.providers import rows
from chapeta.gateway.providers.remote import Remote
from chapeta.types import Json, ModelInfo


def read_models(payload: Any) -> Sequence[ModelInfo]:
    return rows.lines(payload, _line)


def _line(row: Json) -> ModelInfo | None:
    line = rows.plain_line("fireworks", row)
    if line is None or "supports_chat" not in row:
        return line
    inputs = ("text", "image") if row.get("supports_image_input") is True else ("text",)
    outputs = ("text",) if row.get("supports_chat") is True else ()
    return replace(
        line, inputs=inputs, outputs=outputs, parameters=("tools",) if row.get("supports_tools") is True else ()
    )


FIREWORKS = Remote(
    name="fireworks",
    title="Fireworks",
    base_url="https://api.fireworks.ai/inference/v1",
    key_variables=("FIREWORKS_API_KEY",),
    key_page="https://app.fireworks.ai/settings/users/api-keys",
    own_ids=("accounts/",),
    read_models=read_models,
    snapshot="fireworks",
)
