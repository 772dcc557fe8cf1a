"""The results as Markdown: medians over the rounds, with lowest and highest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

Result = Mapping[str, Any]  # a contestant, with version, rounds and error
MATRIX_PARAMETERS = 106e6  # of the embedded model's decoder layers
FLOP_A_TOKEN = 4 * MATRIX_PARAMETERS  # forward, and backward to the activations: the frozen weights need no gradient


def markdown(results: Sequence[Result], about: Mapping[str, str], epoch_tokens: int) -> str:
    measured = sorted((it for it in results if it["rounds"]), key=lambda it: -median(values(it, "tokens_per_s")))
    peaks = [one["gflops"] for it in measured for one in it["rounds"]]
    kind, peak = bound(peaks) if peaks else ("fp32", 1.0)
    lines = [f"- {key}: {value}" for key, value in about.items()]
    for name in peaks[0] if peaks else ():
        figures = [one[name] for one in peaks]
        lines.append(
            f"- Matrix multiply, {name}: {median(figures):.0f} GFLOP/s ({min(figures):.0f}–{max(figures):.0f})"
        )
    lines.append(
        f"- Bound: 4 × 106 M FLOP a token at {kind}'s {peak:.0f} GFLOP/s, {peak * 1e9 / FLOP_A_TOKEN:.0f} tokens/s"
    )
    columns: dict[str, Callable[[Result], str]] = {
        "": lambda it: f"**{it['name']}**" if it["is_ours"] else str(it["name"]),
        "tokens/s": lambda it: spread(values(it, "tokens_per_s")),
        "× trl-fp32": lambda it: ratio(it, results, lambda name: name == "trl-fp32"),
        "× fastest peer": lambda it: ratio(it, results, lambda name: not name.startswith("chapeta")),
        "of the bound": lambda it: f"{100 * median(values(it, 'tokens_per_s')) * FLOP_A_TOKEN / peak / 1e9:.0f} %",
        "s an epoch": lambda it: number(epoch_tokens / median(values(it, "tokens_per_s"))),
        "s in all": lambda it: spread(values(it, "wall_s")),
        "CPU s": lambda it: number(median(values(it, "cpu_s"))),
        "peak MB": lambda it: number(max(values(it, "peak_mb"))),
        "right": right,
        "rounds": lambda it: str(len(it["rounds"])),
        "setting": lambda it: it["setting"],
        "versions": lambda it: it["version"],
    }
    head = [list(columns), ["---", *["---:"] * (len(columns) - 3), "---", "---"]]
    rows = head + [[read(it) for read in columns.values()] for it in measured]
    table = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)
    notes = "\n".join(f"- **{it['name']}**: {it['error']}" for it in results if it["error"])
    return "\n\n".join(part for part in ("# Training, side by side", "\n".join(lines), table, notes) if part) + "\n"


def bound(peaks: Sequence[Mapping[str, float]]) -> tuple[str, float]:
    """The faster kind of number and its highest GFLOP/s: what the machine can do; neighbours only lower a reading."""
    return max(((name, max(one[name] for one in peaks)) for name in peaks[0]), key=lambda pair: pair[1])


def values(result: Result, name: str) -> list[float]:
    return [one[name] for one in result["rounds"] if name in one]


def ratio(result: Result, results: Sequence[Result], is_other: Callable[[str], bool]) -> str:
    """Against the fastest of the others, by medians of tokens a second."""
    others = [median(found) for it in results if is_other(it["name"]) and (found := values(it, "tokens_per_s"))]
    return f"{median(values(result, 'tokens_per_s')) / max(others):.2f}" if others else "–"


def right(result: Result) -> str:
    found = values(result, "accuracy")
    return spread([100 * share for share in found]) + " %" if found else "–"


def spread(found: Sequence[float]) -> str:
    if not found:
        return "–"
    return number(median(found)) + (f" ({number(min(found))}–{number(max(found))})" if len(found) > 1 else "")


def number(value: float) -> str:
    """Three significant figures, thousands set apart."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}"
