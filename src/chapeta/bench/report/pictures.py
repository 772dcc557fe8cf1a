"""Which picture shows what: from the report's data to the pictures, each for wide and narrow screens, None if empty."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from chapeta.bench.report import words
from chapeta.bench.report.curve import learning_curve_picture
from chapeta.bench.report.data import Confusion, FieldAccuracy, GeneralSuite, LearningCurve
from chapeta.bench.report.heatmap import confusion_picture
from chapeta.bench.report.pareto import pareto_picture
from chapeta.bench.report.rows import Axis, Band, Row, rows_picture
from chapeta.bench.report.svg import both_widths
from chapeta.bench.results import BenchResult, CandidateResult, Comparison, Estimate

_LOG_FROM_RATIO = 20.0


def quality_against_cost(bench: BenchResult, chosen: str) -> Markup | None:
    """Candidates without a score (no row was answered) cannot be drawn; the table still lists them."""
    scored = [c for c in bench.candidates if _finite(*_ends(c.score))]
    return both_widths(lambda width: pareto_picture(scored, chosen, width)) if scored else None


def against_best(bench: BenchResult) -> list[tuple[str, Estimate, Comparison]]:
    """Every comparison with the best candidate, as (other, other minus best, comparison), the smallest loss first."""
    if not bench.candidates:
        return []
    best = best_candidate(bench).name
    found = []
    for c in bench.comparisons:
        if c.second == best:
            found.append((c.first, c.difference, c))
        elif c.first == best:
            d = c.difference
            found.append((c.second, Estimate(-d.value, -d.high, -d.low, d.n), c))
    return sorted(found, key=lambda row: -row[1].value)


def best_candidate(bench: BenchResult) -> CandidateResult:
    """The highest score; of equals the first. One without a score counts as 0."""
    return max(bench.candidates, key=lambda c: c.score.value if _finite(c.score.value) else 0.0)


def paired_differences(bench: BenchResult, margin: float, chosen: str) -> Markup | None:
    """Each candidate minus the best one, with the margin shaded from −margin to 0."""
    rows = [
        Row(name, d.value, d.low, d.high, f"{words.points(d.value)}  ({words.points_interval(d)})", name == chosen)
        for name, d, _ in against_best(bench)
        if _finite(*_ends(d))
    ]
    if not rows:
        return None
    axis = Axis("Percentage points", words.tick_points, through=(0.0,))
    what = f"Differences to {best_candidate(bench).name} in percentage points with 95 % intervals."
    band = Band(-margin, 0.0, 0.0)
    return both_widths(lambda width: rows_picture(rows, axis, what, width, band))


def latency(candidates: Sequence[CandidateResult], chosen: str) -> Markup | None:
    """The median as a dot, the whisker up to the 95th percentile."""
    rows = []
    for c in candidates:
        if not _finite(c.latency_p50_ms, c.latency_p95_ms):
            continue
        figures = f"{words.milliseconds(c.latency_p50_ms)}  (p95 {words.milliseconds(c.latency_p95_ms)})"
        low, high = c.latency_p50_ms, max(c.latency_p50_ms, c.latency_p95_ms)
        rows.append(Row(c.name, low, low, high, figures, c.name == chosen))
    if not rows:
        return None
    lowest, highest = min(r.low for r in rows), max(r.high for r in rows)
    log = lowest > 0 and highest / lowest > _LOG_FROM_RATIO
    axis = Axis("Time for a whole answer", words.tick_milliseconds, log, () if log else (0.0,), floor=0.0)
    return both_widths(lambda width: rows_picture(rows, axis, "Latency, median and 95th percentile.", width))


def learning_curve(curve: LearningCurve) -> Markup:
    return both_widths(lambda width: learning_curve_picture(curve, width))


def confusions(confusion: Confusion) -> Markup:
    return both_widths(lambda width: confusion_picture(confusion, width))


def field_accuracy(field: FieldAccuracy) -> Markup | None:
    rows = [Row(name, e.value, e.low, e.high, _share(e)) for name, e in field.accuracy.items() if _finite(*_ends(e))]
    if not rows:
        return None
    axis = Axis("Answers with this field right", words.tick_percent, floor=0.0, ceiling=1.0)
    what = f"Accuracy by field of {field.candidate}, with 95 % intervals."
    return both_widths(lambda width: rows_picture(rows, axis, what, width))


def general_suite(suite: GeneralSuite) -> Markup | None:
    """Base (hollow) and tuned (filled) by group of items."""
    rows = []
    for g in suite.groups:
        figures = f"{words.percent(g.base, 0)} → {words.percent(g.tuned, 0)}"
        low, high = sorted((g.base, g.tuned))
        rows.append(Row(f"{g.name} ({g.n})", g.tuned, low, high, figures, chosen=True, before=g.base))
    if not rows:
        return None
    axis = Axis("Items right", words.tick_percent, floor=0.0, ceiling=1.0)
    what = f"General suite, base model against {suite.candidate}, share of items right by group."
    return both_widths(lambda width: rows_picture(rows, axis, what, width))


def _ends(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.value, estimate.low, estimate.high


def _finite(*values: float) -> bool:
    return all(math.isfinite(value) for value in values)


def _share(estimate: Estimate) -> str:
    return f"{words.percent(estimate.value)}  ({words.interval(estimate)})"
