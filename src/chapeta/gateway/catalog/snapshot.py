"""Models and prices without a network: the price list that the package genai-prices carries.

Loading it takes half a second, so it is imported only here, inside functions, and only where no live copy will do.
It also knows which dated and tuned ids go by the price of which model (`ft:gpt-4o-mini-2024-07-18:…`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

from chapeta.gateway.catalog.cost import LongPrice
from chapeta.gateway.providers.remote import Remote
from chapeta.types import ModelInfo, Price

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo as PriceLine
    from genai_prices.types import Provider

# The price list also has what other doors sell under a provider's name: Vertex AI, retired endpoints, families of ids.
BEGINNINGS = {"google": ("gemini-", "gemma-"), "fireworks": ("accounts/",)}
NOT_SOLD = {"openai": ("gpt-oss", "ft:", "gpt-4o-mini-2024-07-18.ft-")}


def models_of(remote: Remote) -> tuple[ModelInfo, ...]:
    """The provider's models as the price list has them; none if it is not in there."""
    provider = _provider(remote.snapshot)
    if provider is None:
        return ()
    lines = (_line(remote, _own_id(remote, model), model) for model in provider.models)
    return tuple(line for line in lines if _is_sold(remote, line))


def find(remote: Remote, model: str) -> ModelInfo | None:
    """The line whose price holds for this id of the provider, dated and tuned ones too; None if there is none."""
    provider = _provider(remote.snapshot)
    found = provider.find_model(model) if provider is not None else None
    return _line(remote, model, found) if found is not None else None


def complete(remote: Remote, lines: Sequence[ModelInfo]) -> tuple[ModelInfo, ...]:
    """The lines of a live list, with price, context window and name where that list never tells prices.

    In a list that does, a line without a price is an answer: it varies, or the model runs on rented machines only.
    """
    if not remote.snapshot or any(line.price is not None for line in lines):
        return tuple(lines)
    return tuple(_completed(remote, line) for line in lines)


def _completed(remote: Remote, line: ModelInfo) -> ModelInfo:
    known = find(remote, line.id.removeprefix(f"{remote.name}/"))
    if known is None:
        return line
    context_tokens = line.context_tokens or known.context_tokens
    return replace(line, name=line.name or known.name, context_tokens=context_tokens, price=known.price)


def _line(remote: Remote, model: str, known: PriceLine) -> ModelInfo:
    return ModelInfo(
        id=f"{remote.name}/{model}",
        provider=remote.name,
        name=f"{known.name or known.id} (deprecated)" if known.deprecated else known.name or "",
        context_tokens=known.context_window,
        price=_price(known),
    )


def _price(model: PriceLine) -> Price | None:
    """Today's price. None for what is billed by the hour or the character, and where a price is not given at all."""
    given = {name: value for name, value in vars(model.get_prices(datetime.now(UTC))).items() if value is not None}
    if not given:
        free = model.id.endswith(":free") or "(free)" in (model.name or "")
        return Price(0.0, 0.0) if free else None
    if "input_mtok" not in given:
        return None
    base = _rates(given, 0)
    starts = [tier.start for value in given.values() for tier in getattr(value, "tiers", ())]
    return LongPrice.of(base, min(starts), _rates(given, min(starts) + 1)) if starts else base


def _rates(given: dict[str, Any], tokens_in: int) -> Price:
    """The rates that hold for a prompt of this length. Embeddings have no output, so no rate for it."""
    rates = {name: float(_at(value, tokens_in)) for name, value in given.items()}
    return Price(
        rates["input_mtok"],
        rates.get("output_mtok", 0.0),
        cached=rates.get("cache_read_mtok"),
        cache_write=rates.get("cache_write_mtok"),
        reasoning=rates.get("output_reasoning_mtok"),
        image=rates.get("input_image_mtok"),
        usd_per_call=rates.get("requests_kcount", 0.0) / 1000,
    )


def _at(value: Any, tokens_in: int) -> Decimal:
    if isinstance(value, Decimal):
        return value
    found: Decimal = value.base
    for tier in value.tiers:  # ascending
        if tokens_in > tier.start:
            found = tier.price
    return found


def _is_sold(remote: Remote, line: ModelInfo) -> bool:
    """Whether this provider's API takes the id: OpenRouter's have an author, for example."""
    model = line.id.removeprefix(f"{remote.name}/")
    if remote.snapshot == "openrouter":
        return "/" in model
    wanted, unwanted = BEGINNINGS.get(remote.snapshot), NOT_SOLD.get(remote.snapshot)
    return not (wanted and not model.startswith(wanted)) and not (unwanted and model.startswith(unwanted))


def _own_id(remote: Remote, model: PriceLine) -> str:
    """The id that calls use; the price list shortens those of Fireworks, and has the full ones among its rules."""
    if remote.snapshot != "fireworks":
        return model.id
    return next((text for text in _texts(model.match) if text.startswith("accounts/")), model.id)


def _texts(rule: Any) -> Iterator[str]:
    """The ids that a matching rule names outright."""
    if text := getattr(rule, "equals", None):
        yield text
    parts: Iterable[Any] = getattr(rule, "or_", ())
    for part in parts:
        yield from _texts(part)


@cache
def _provider(name: str) -> Provider | None:
    if not name:
        return None
    from genai_prices.data import providers

    return next((provider for provider in providers if provider.id == name), None)
