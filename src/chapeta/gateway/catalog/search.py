"""Choosing among the lines of the catalogue: by words, by what a model takes and costs; and their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from math import inf
from typing import Any

from chapeta.types import ModelInfo


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a model has to be. Where its provider does not say, it is not.

    words: all of them in id or name, in any case; modality: among what it takes or gives.
    max_usd_per_mtok: highest price of output; retired: those past their date, too.
    """

    words: tuple[str, ...] = ()
    provider: str = ""
    modality: str = ""
    parameter: str = ""
    free: bool = False
    max_usd_per_mtok: float | None = None
    min_context_tokens: int = 0
    retired: bool = False


def search(lines: Iterable[ModelInfo], wanted: Wanted, today: date, sort: str = "name") -> list[ModelInfo]:
    """The lines that fit, in the order of `SORTS`; what is not known comes last."""
    day, words = today.isoformat(), [word.casefold() for word in wanted.words]
    return sorted((line for line in lines if _fits(line, wanted, words, day)), key=SORTS[sort])


def is_free(line: ModelInfo) -> bool:
    """Whether a call is known to cost nothing."""
    price = line.price
    return price is not None and not (price.input or price.output or price.usd_per_call)


def _fits(line: ModelInfo, wanted: Wanted, words: list[str], today: str) -> bool:
    if wanted.provider and line.provider != wanted.provider:
        return False
    if line.retires and line.retires < today and not wanted.retired:
        return False
    if wanted.modality and wanted.modality not in line.inputs and wanted.modality not in line.outputs:
        return False
    if wanted.parameter and wanted.parameter not in line.parameters:
        return False
    if wanted.min_context_tokens > (line.context_tokens or 0):
        return False
    if wanted.free and not is_free(line):
        return False
    if wanted.max_usd_per_mtok is not None and (line.price is None or line.price.output > wanted.max_usd_per_mtok):
        return False
    text = f"{line.id} {line.name}".casefold()
    return all(word in text for word in words)


def _by_price(line: ModelInfo) -> Any:
    """A typical chat call has about three tokens in for one out."""
    price = line.price
    return (price.usd_per_call * 1000, 3 * price.input + price.output, line.id) if price else (inf, inf, line.id)


SORTS: dict[str, Callable[[ModelInfo], Any]] = {
    "name": lambda line: line.id.casefold(),
    "price": _by_price,
    "context": lambda line: (-(line.context_tokens or 0), line.id),
    "created": lambda line: ([-ord(c) for c in line.created] or [1], line.id),
}
