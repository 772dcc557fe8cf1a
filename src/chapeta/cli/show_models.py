"""How models of the catalogue look in the terminal: a table of many, everything about one, what became of a refresh."""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from chapeta.types import Json, ModelInfo, Price

if TYPE_CHECKING:
    from chapeta.gateway.catalog import ModelList, RefreshResult

SOON_DAYS = 60
LEAST_ID_WIDTH = 24
GAP = "  "
MODALITIES = "takes → gives"
WORDY = ("model", MODALITIES, "retires")
RED, YELLOW = "31", "33"
UNKNOWN = "–"


def show_table(lines: Sequence[ModelInfo], today: date) -> None:
    """One line a model; columns that would be empty are left out. Ids are folded on a narrow terminal, never cut.

    Not drawn by rich, which takes more than a second for a thousand rows; this takes milliseconds.
    """
    columns: dict[str, list[str]] = {"model": [line.id for line in lines]}
    columns["context"] = [tokens(line.context_tokens) for line in lines]
    columns["$/M in"] = [usd(line.price.input) if line.price else UNKNOWN for line in lines]
    columns["$/M out"] = [usd(line.price.output) if line.price else UNKNOWN for line in lines]
    columns[MODALITIES] = [modalities(line) for line in lines]
    columns["retires"] = [retirement(line, today) for line in lines]
    widths = {head: max(map(len, (head, *cells))) for head, cells in columns.items() if any(cells)}
    room = _width() - sum(widths.values()) + widths["model"] - len(GAP) * len(widths)
    if room < LEAST_ID_WIDTH and widths.pop(MODALITIES, 0):  # `models show` tells them
        return show_table([dataclasses.replace(line, inputs=(), outputs=()) for line in lines], today)
    widths["model"] = min(widths["model"], max(room, LEAST_ID_WIDTH))
    _print_row({head: head for head in widths}, widths, "1")
    print("─" * (sum(widths.values()) + len(GAP) * (len(widths) - 1)))
    for place, line in enumerate(lines):
        _print_row({head: columns[head][place] for head in widths}, widths, _alarm(line, today))
    return None


def _print_row(cells: dict[str, str], widths: dict[str, int], colour: str) -> None:
    """A row, and below it the rest of an id that is too long. Figures stand to the right, words to the left."""
    first, width = cells["model"], widths["model"]
    others = [f"{cells[h]:<{w}}" if h in WORDY else f"{cells[h]:>{w}}" for h, w in widths.items() if h != "model"]
    row = GAP.join((f"{first[:width]:<{width}}", *others)).rstrip()
    coloured = colour and sys.stdout.isatty() and "NO_COLOR" not in os.environ
    print(f"\x1b[{colour}m{row}\x1b[0m" if coloured else row)
    for start in range(width, len(first), width):
        print(first[start : start + width])


def _width() -> int:
    """Columns of the terminal; a file or a pipe is as wide as it takes."""
    if sys.stdout.isatty() or "COLUMNS" in os.environ:
        return shutil.get_terminal_size().columns
    return 1000


def show_sources(lists: Iterable[ModelList]) -> None:
    """Where the lines come from, if not from the providers themselves."""
    offline = [known.provider for known in lists if known.lines and not known.fetched_at]
    if offline:
        print(
            f"{', '.join(offline)}: the offline price list. `chapeta models refresh` fetches the providers' own lists."
        )


def show_counts(lists: Sequence[ModelList]) -> None:
    """How many models of providers are known, and how to search them."""
    total = sum(len(known.lines) for known in lists)
    parts = ", ".join(f"{known.provider} {len(known.lines)}" for known in lists if known.lines)
    print(f"\n{total:,} models of providers are known ({parts}), and any other id of theirs works, too.")
    print("Search: chapeta models list claude sonnet   One: chapeta models show ID   All: chapeta models list --all")


def facts(line: ModelInfo, source: str, today: date) -> list[tuple[str, str]]:
    """Everything that is known of a model, as pairs of a word and its value."""
    pairs = [
        ("name", line.name),
        ("context", f"{line.context_tokens:,} tokens" if line.context_tokens else "unknown"),
        ("price", price_words(line.price)),
        ("takes", ", ".join(line.inputs)),
        ("gives", ", ".join(line.outputs)),
        ("parameters", ", ".join(line.parameters)),
        ("created", line.created),
        ("retires", retirement(line, today)),
        ("source", source),
    ]
    return [(word, value) for word, value in pairs if value]


def price_words(price: Price | None) -> str:
    """A price in words, with what is billed apart."""
    if price is None:
        return "unknown"
    long, above_tokens = getattr(price, "above", None), getattr(price, "above_tokens", 0)
    parts = [f"{_rates(price)} per million tokens"] if price.input or price.output else []
    parts += [f"{usd(price.usd_per_call)} per call"] if price.usd_per_call else []
    words = ", ".join(parts) or "free"
    return f"{words}; prompts above {above_tokens:,} tokens: {_rates(long)}" if long is not None else words


def _rates(price: Price) -> str:
    apart = (
        ("cached", price.cached),
        ("cache write", price.cache_write),
        ("thinking", price.reasoning),
        ("image", price.image),
    )
    known = "".join(f", {name} {usd(rate)}" for name, rate in apart if rate is not None)
    return f"{usd(price.input)} in, {usd(price.output)} out{known}"


def show_refreshed(results: Sequence[RefreshResult]) -> None:
    """A line for each provider: how many models, and why nothing new came."""
    for result in results:
        count = f"{result.models:,} models" if result.models or not result.reason else UNKNOWN
        kept = f"{'kept; ' if result.fetched_at else ''}{result.reason}" if result.reason else ""
        print(f"{result.provider:<12} {count:<14} {kept}".rstrip())


def to_json(line: ModelInfo) -> Json:
    """A line of the catalogue as JSON; a price that is not known is null."""
    value: dict[str, Any] = dataclasses.asdict(line)
    return value


def modalities(line: ModelInfo) -> str:
    """What goes in and what comes out, "" where the provider does not say."""
    if not line.inputs and not line.outputs:
        return ""
    return f"{', '.join(line.inputs) or '?'} → {', '.join(line.outputs) or '?'}"


def retirement(line: ModelInfo, today: date) -> str:
    """The day on which a model goes, marked where it is past or near; "" where none is announced."""
    if not line.retires:
        return ""
    days = (date.fromisoformat(line.retires) - today).days
    mark = " (retired)" if days < 0 else f" (in {days} days)" if days <= SOON_DAYS else ""
    return line.retires + mark


def _alarm(line: ModelInfo, today: date) -> str:
    days = (date.fromisoformat(line.retires) - today).days if line.retires else SOON_DAYS + 1
    return RED if days < 0 else YELLOW if days <= SOON_DAYS else ""


def tokens(count: int | None) -> str:
    """1048576 → 1.05M, 131072 → 131k."""
    if not count:
        return UNKNOWN
    if count >= 1_000_000:
        return f"{count / 1e6:.3g}M"
    return f"{count / 1000:.0f}k" if count >= 10_000 else str(count)


def usd(rate: float) -> str:
    """$3.00, $0.125, $0.0375: two decimals, and as many more as a small price needs."""
    text = f"{rate:.4g}" if rate >= 0.0001 else f"{rate:.8f}".rstrip("0").rstrip(".")
    whole, _, decimals = text.partition(".")
    return "$0" if rate == 0 else f"${whole}.{decimals:0<2}" if "e" not in text else f"${rate:.0f}"
