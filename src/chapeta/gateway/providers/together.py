"""Together: open models, and models tuned there. Its list is a bare array with prices in USD per million tokens.

Its fields (together-py, types/model_object.py): pricing {base, hourly, input, output, finetune, cached_input}.
A model with 0 for everything is not free: it runs on a dedicated endpoint only, which is billed by the minute.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from chapeta.gateway.providers import rows
from chapeta.gateway.providers.remote import Remote
from chapeta.types import Json, ModelInfo, Price

OUTPUTS = {
    "chat": "text",
    "language": "text",
    "code": "text",
    "image": "image",
    "embedding": "embeddings",
    "video": "video",
}


def read_models(payload: Any) -> Sequence[ModelInfo]:
    return rows.lines(payload, _line)


def _line(row: Json) -> ModelInfo | None:
    line = rows.plain_line("together", row)
    if line is None:
        return None
    kind = rows.text(row, "type")
    made = OUTPUTS.get(kind, kind if kind.isidentifier() else "")
    return replace(line, outputs=(made,) if made else (), price=_price(rows.part(row, "pricing"), kind))


def _price(pricing: Json, kind: str) -> Price | None:
    usd_in, usd_out = rows.rate(pricing.get("input")), rows.rate(pricing.get("output"))
    if usd_in is None or usd_out is None or kind in ("image", "video", "audio", "transcribe"):
        return None
    if not usd_in and not usd_out:
        return None
    return Price(usd_in, usd_out, cached=rows.rate(pricing.get("cached_input")) or None)


TOGETHER = Remote(
    name="together",
    title="Together",
    base_url="https://api.together.ai/v1",
    key_variables=("TOGETHER_API_KEY",),
    key_page="https://api.together.ai/settings/api-keys",
    read_models=read_models,
    snapshot="together",
)
