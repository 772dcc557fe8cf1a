"""OpenRouter: hundreds of models of all authors behind one key; its answers say what they cost.

Its list (openrouter.ai/docs/api-reference/models/get-models) needs no key, comes in pages, and leaves out everything
but text models unless `output_modalities=all` asks for it. Traps in its prices:
- "-1" stands for "varies" (openrouter/auto);
- "0" for cache or reasoning beside a real price means "not billed apart", not "free";
- `image` is per image, `image_token` per token; usage counts tokens only;
- a discount is already in the listed price (Kilo-Org/cloud#3688, anomalyco/models.dev#4576), so it is not taken again.
Its own routers are called openrouter/auto and so on there, so openrouter/openrouter/auto here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chapeta.gateway.catalog.cost import LongPrice
from chapeta.gateway.providers import rows
from chapeta.gateway.providers.remote import Remote
from chapeta.types import Json, ModelInfo, Price

NAME = "openrouter"
PER_MTOK = 1_000_000
OTHER_UNITS = ("image", "image_output", "image_token", "audio", "audio_output", "video")


def read_models(payload: Any) -> Sequence[ModelInfo]:
    return rows.lines(payload, _line)


def _line(row: Json) -> ModelInfo | None:
    model = rows.model_id(row)
    if not model:
        return None
    architecture = rows.part(row, "architecture")
    return ModelInfo(
        id=f"{NAME}/{model}",
        provider=NAME,
        name=rows.text(row, "name"),
        context_tokens=rows.count(row, "context_length")
        or rows.count(rows.part(row, "top_provider"), "context_length"),
        inputs=rows.words(architecture.get("input_modalities")),
        outputs=rows.words(architecture.get("output_modalities")),
        parameters=rows.words(row.get("supported_parameters")),
        price=_price(rows.part(row, "pricing")),
        created=rows.day(row.get("created")),
        retires=rows.day(row.get("expiration_date")),
    )


def _price(pricing: Json) -> Price | None:
    """The price, with the dearer one of long prompts if there is such an override."""
    base = _plain(pricing)
    if base is None:
        return None
    overrides = pricing.get("overrides")
    long = [
        (tokens, above)
        for entry in (overrides if isinstance(overrides, list) else [])
        if isinstance(entry, dict) and "utc_start" not in entry and "utc_end" not in entry
        if (tokens := rows.count(entry, "min_prompt_tokens")) and (above := _plain({**pricing, **entry}))
    ]
    if not long:
        return base
    return LongPrice.of(base, *min(long, key=lambda found: found[0]))


def _plain(pricing: Json) -> Price | None:
    usd_in, usd_out = rows.rate(pricing.get("prompt"), PER_MTOK), rows.rate(pricing.get("completion"), PER_MTOK)
    if usd_in is None or usd_out is None:
        return None
    usd_per_call = rows.rate(pricing.get("request")) or 0.0
    if not (usd_in or usd_out or usd_per_call) and any(rows.rate(pricing.get(unit)) for unit in OTHER_UNITS):
        return None  # billed by the image or the second of sound, which usage does not count
    return Price(
        usd_in,
        usd_out,
        cached=rows.rate(pricing.get("input_cache_read"), PER_MTOK) or None,
        cache_write=rows.rate(pricing.get("input_cache_write"), PER_MTOK) or None,
        reasoning=rows.rate(pricing.get("internal_reasoning"), PER_MTOK) or None,
        image=rows.rate(pricing.get("image_token"), PER_MTOK) or None,
        usd_per_call=usd_per_call,
    )


OPENROUTER = Remote(
    name=NAME,
    title="OpenRouter",
    base_url="https://openrouter.ai/api/v1",
    key_variables=("OPENROUTER_API_KEY",),
    key_page="https://openrouter.ai/settings/keys",
    own_ids=("@preset/", "~"),  # presets, and aliases such as ~anthropic/claude-sonnet-latest
    reports_cost=True,
    usage_option=False,  # always told; stream_options has no effect there
    check_path="/key",
    models_path="/models?output_modalities=all&limit=1000",
    public_models=True,
    read_models=read_models,
    # openrouter.ai/docs/app-attribution: the name shown in one's activity there. HTTP-Referer, which also enters an app
    # in the public rankings, waits for a home page; nothing of the user is told.
    extra_headers=(("X-OpenRouter-Title", "Chapeta"),),
    snapshot="openrouter",
)
