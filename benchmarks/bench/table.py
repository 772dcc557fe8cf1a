"""The results as Markdown: medians over the rounds, with lowest and highest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

Rounds = Mapping[str, Sequence[Mapping[str, Any]]]  # by contestant


def markdown(local: Rounds, remote: Rounds, about: Mapping[str, str], ideal_s: float) -> str:
    parts = ["# Bench, side by side", "\n".join(f"- {key}: {value}" for key, value in about.items())]
    if any(local.values()):
        parts += ["## On this machine", local_table(local)]
    if any(remote.values()):
        parts += ["## At a provider", remote_table(remote, ideal_s)]
    return "\n\n".join(parts) + "\n"


def local_table(rounds: Rounds) -> str:
    head = ["", "answers/s", "s an answer", "× llama.cpp batched", "× row by row", "answers that differ", "rounds"]
    rows = []
    for name, found in rounds.items():
        if not found:
            continue
        rates = [one["answers"] / one["seconds"] for one in found]
        rows.append([
            f"**{name}**" if name == "chapeta" else name,
            spread(rates),
            number(median([1 / rate for rate in rates])),
            by_round(rounds, name, "llama.cpp batched"),
            by_round(rounds, name, "row by row"),
            ", ".join(sorted({f"{one['differ']} of {one['compared']}" for one in found})),
            str(len(found)),
        ])  # fmt: skip
    return table(head, rows)


def remote_table(rounds: Rounds, ideal_s: float) -> str:
    head = ["", "s", "× ideal", "failed", "refused (429)", "most at once", "p50 ms", "rounds"]
    rows = []
    for name, found in rounds.items():
        if not found:
            continue
        seconds = [one["seconds"] for one in found]
        p50 = [one["latency_p50_ms"] for one in found if "latency_p50_ms" in one]
        rows.append([
            f"**{name}**" if name.startswith("chapeta") else name,
            spread(seconds),
            spread([one / ideal_s for one in seconds], 3),
            str(max(one["failed"] for one in found)),
            spread([one["refused"] for one in found]),
            spread([one["most_at_once"] for one in found]),
            spread(p50) if p50 else "–",
            str(len(found)),
        ])  # fmt: skip
    return table(head, rows)


def by_round(rounds: Rounds, name: str, other: str) -> str:
    """Ratio of answers a second, each round's to the same round's: what slows a round slows both."""
    pairs = list(zip(rounds[name], rounds.get(other, ()), strict=False))
    return spread([a["answers"] / a["seconds"] / (b["answers"] / b["seconds"]) for a, b in pairs], 2) if pairs else "–"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def spread(found: Sequence[float], decimals: int | None = None) -> str:
    def text(value: float) -> str:
        return number(value) if decimals is None else f"{value:.{decimals}f}"

    return text(median(found)) + (f" ({text(min(found))}–{text(max(found))})" if len(set(found)) > 1 else "")


def number(value: float) -> str:
    """Three significant figures, thousands set apart."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
