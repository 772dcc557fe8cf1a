"""The results as Markdown: medians over the rounds, with the lowest and highest where single rounds vary most."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

Round = Mapping[str, Any]
Result = Mapping[str, Any]  # name, kind, version, setting, rounds, error
EVENTS = 52  # that the upstream sends for a stream


def markdown(results: Sequence[Result], about: Mapping[str, str], held_streams: int) -> str:
    measured = [result for result in results if result["rounds"]]
    parts = ["# Gateways, measured side by side", "\n".join(f"- {key}: {value}" for key, value in about.items())]
    parts += ["## Answers in one piece", plain_table(measured)]
    parts += [f"## Streams of {EVENTS} events", stream_table(measured, held_streams)]
    parts += ["## What was measured", peer_table(results), notes(results)]
    return "\n\n".join(part for part in parts if part) + "\n"


def plain_table(results: Sequence[Result]) -> str:
    rate = figure("plain", "req_per_s")
    columns: dict[str, Callable[[Result], str]] = {
        "": named,
        "req/s at 32 callers": lambda it: spread(it, rate),
        "× fastest peer": lambda it: ratio(it, results, rate),
        "p99 ms": lambda it: mid(it, figure("plain", "latency_us", "p99"), 1e-3),
        "CPU µs a request": lambda it: mid(it, figure("plain", "cpu_us")),
        "one caller p50 ms": lambda it: mid(it, figure("single", "latency_us", "p50"), 1e-3),
        "one caller p99 ms": lambda it: mid(it, figure("single", "latency_us", "p99"), 1e-3),
        "added p50 ms": lambda it: added(it, results, figure("single", "latency_us", "p50")),
        "added p99 ms": lambda it: added(it, results, figure("single", "latency_us", "p99")),
    }
    return table(columns, ranked(results, rate))


def stream_table(results: Sequence[Result], held_streams: int) -> str:
    rate = figure("burst", "streams_per_s")
    columns: dict[str, Callable[[Result], str]] = {
        "": named,
        "burst streams/s at 16 callers": lambda it: spread(it, rate),
        "× fastest peer": lambda it: ratio(it, results, rate),
        "CPU µs a stream": lambda it: mid(it, figure("burst", "cpu_us")),
        "paced: first event p50 ms": lambda it: mid(it, figure("paced", "first_event_us", "p50"), 1e-3),
        "paced: first event p99 ms": lambda it: mid(it, figure("paced", "first_event_us", "p99"), 1e-3),
        "paced: whole stream p50 ms": lambda it: mid(it, figure("paced", "latency_us", "p50"), 1e-3),
    }
    if held_streams:
        columns[f"{held_streams} at once"] = held
    return table(columns, ranked(results, rate))


def peer_table(results: Sequence[Result]) -> str:
    columns: dict[str, Callable[[Result], str]] = {
        "": named,
        "version": lambda it: it["version"] or "–",
        "setting": lambda it: it["setting"],
        "cold start s": lambda it: mid(it, figure("cold_start_s")),
        "peak memory MB": lambda it: mid(it, figure("peak_rss_mb")),
        "rounds": lambda it: str(len(it["rounds"])),
    }
    return table(columns, results, texts=3)


def notes(results: Sequence[Result]) -> str:
    """What went wrong: a peer that could not be measured, and answers that were not right."""
    lines = [f"- **{it['name']} failed**: {it['error']}" for it in results if it["error"]]
    for it in results:
        for load in ("plain", "single", "burst", "paced", "held"):
            runs = [one[load] for one in it["rounds"] if one.get(load)]
            if wrong := sum(run["errors"] for run in runs):
                last = next(run["last_error"] for run in reversed(runs) if run["errors"])
                lines.append(f"- {it['name']}, {load}: {wrong} wrong answers, the last: {last}")
        least = [one["burst"]["events_per_stream"]["least"] for one in it["rounds"]]
        if least and min(least) < EVENTS:
            lines.append(f"- {it['name']} passes on only {min(least)} of the {EVENTS} events of a stream")
    return "\n".join(lines)


def figure(*path: str) -> Callable[[Round], float | None]:
    """A reader of one figure of a round; None where the round does not have it."""

    def read(one: Round) -> float | None:
        value: Any = one
        for key in path:
            value = value.get(key) if value else None
        return None if value is None else float(value)

    return read


def values(result: Result, read: Callable[[Round], float | None]) -> list[float]:
    return [value for one in result["rounds"] if (value := read(one)) is not None]


def named(result: Result) -> str:
    return f"**{result['name']}**" if result["kind"] == "ours" else str(result["name"])


def mid(result: Result, read: Callable[[Round], float | None], scale: float = 1.0) -> str:
    found = values(result, read)
    return number(median(found) * scale) if found else "–"


def spread(result: Result, read: Callable[[Round], float | None]) -> str:
    found = values(result, read)
    if not found:
        return "–"
    return number(median(found)) + (f" ({number(min(found))}–{number(max(found))})" if len(found) > 1 else "")


def ratio(result: Result, results: Sequence[Result], read: Callable[[Round], float | None]) -> str:
    """Against the fastest gateway that is not ours; generic proxies and the upstream itself do not count."""
    peers = [median(found) for it in results if it["kind"] == "gateway" and (found := values(it, read))]
    found = values(result, read)
    return f"{median(found) / max(peers):.2f}" if found and peers else "–"


def added(result: Result, results: Sequence[Result], read: Callable[[Round], float | None]) -> str:
    """Milliseconds more than calling the upstream directly."""
    direct = [median(found) for it in results if it["kind"] == "direct" and (found := values(it, read))]
    found = values(result, read)
    return number((median(found) - direct[0]) / 1e3) if found and direct and result["kind"] != "direct" else "–"


def held(result: Result) -> str:
    runs = [one["held"] for one in result["rounds"] if one.get("held")]
    if not runs:
        return "–"
    return f"{sum(run['errors'] for run in runs)} errors, {number(max(run['seconds'] for run in runs))} s"


def ranked(results: Sequence[Result], read: Callable[[Round], float | None]) -> list[Result]:
    return sorted(results, key=lambda it: -median(values(it, read) or [0.0]))


def number(value: float) -> str:
    """Three significant figures, thousands set apart."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def table(columns: Mapping[str, Callable[[Result], str]], rows: Sequence[Result], texts: int = 1) -> str:
    head = [list(columns), ["---"] * texts + ["---:"] * (len(columns) - texts)]
    lines = head + [[read(row) for read in columns.values()] for row in rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
