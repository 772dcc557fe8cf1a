"""From the report's data to the page. Pure. All that is shown is untrusted: autoescape is on, and no script runs."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from chapeta.bench.disagreements import Disagreement
from chapeta.bench.report import heatmap, pictures, words
from chapeta.bench.report.curve import has_curve
from chapeta.bench.report.data import LearningCurve, ReportData
from chapeta.bench.report.pareto import cost_of, pareto_front
from chapeta.bench.results import CandidateResult
from chapeta.types import Json

_RIGHT_FROM, _WRONG_TO = 0.9995, 0.0005
_MOST_CLASSES = 20


def render(data: ReportData) -> str:
    """The report as one HTML page that loads nothing (no script, font, image, link); lone surrogates become "?"."""
    page = _template().render(data=data, bench=data.bench, verdict=data.verdict, css=_css(), **_view(data))
    return page.encode("utf-8", "replace").decode()


@dataclass(frozen=True, slots=True)
class AnswerGroup:
    """Candidates that gave the same answer. mark: right, wrong or partly; `has_chosen` puts the choice in evidence."""

    candidates: tuple[str, ...]
    text: str
    score: float
    mark: str
    has_chosen: bool


@dataclass(frozen=True, slots=True)
class ClassShare:
    """One label of the training data; `width` is the bar's length in per cent of the most frequent label's."""

    label: str
    rows: int
    share: float
    width: float


def answer_groups(row: Disagreement, chosen: str) -> list[AnswerGroup]:
    """Same answer and same score: one group, right ones first, otherwise in the order of the bench."""
    groups: dict[tuple[str, float], list[str]] = defaultdict(list)
    for answer in row.answers:
        groups[answer.text, answer.score].append(answer.candidate)
    found = [AnswerGroup(tuple(who), text, score, _mark(score), chosen in who) for (text, score), who in groups.items()]
    return sorted(found, key=lambda group: -group.score)


def recipe_rows(recipe: Json) -> list[tuple[str, object, str]]:
    """(setting, value, why) for settings that come with a reason; the others are `plain_settings`."""
    values, reasons = recipe.get("recipe", {}), recipe.get("reasons", {})
    return [(name, values[name], str(reasons[name])) for name in values if name in reasons]


def plain_settings(recipe: Json) -> Json:
    reasons = recipe.get("reasons", {})
    return {name: value for name, value in recipe.get("recipe", {}).items() if name not in reasons}


def class_shares(check: Json) -> list[ClassShare]:
    """The class balance from the key `labels`, most frequent first; empty if there is none."""
    classes = check.get("labels")
    if not isinstance(classes, dict) or not all(isinstance(rows, int) for rows in classes.values()):
        return []
    total, most = sum(classes.values()), max(classes.values(), default=0)
    ordered = sorted(classes.items(), key=lambda item: -item[1])
    return [ClassShare(str(k), rows, rows / total, 100 * rows / most) for k, rows in ordered] if total else []


def _view(data: ReportData) -> dict[str, Any]:
    """What the template shows that is not in the data as such: pictures and orders."""
    bench, use = data.bench, data.verdict.use
    by_score = sorted(bench.candidates, key=lambda c: -c.score.value if math.isfinite(c.score.value) else 0.0)
    classes = class_shares(data.check)
    return {
        "candidates": by_score,
        "best": pictures.best_candidate(bench) if bench.candidates else None,
        "chosen": next((c for c in bench.candidates if c.name == use), None),
        "metrics": _metrics(by_score),
        "front": _front(bench.candidates),
        "cost_axis": cost_of(bench.candidates) if bench.candidates else None,
        "comparisons": pictures.against_best(bench),
        "pareto": pictures.quality_against_cost(bench, use),
        "differences": pictures.paired_differences(bench, data.verdict.margin, use),
        "latency": pictures.latency(by_score, use),
        "curves": [(curve, pictures.learning_curve(curve), _speed(curve)) for curve in data.curves if has_curve(curve)],
        "confusions": [
            (c, pictures.confusions(c), heatmap.mix_ups(c))
            for c in sorted(data.confusions, key=lambda c: c.candidate != use)  # the chosen one's stand open
            if c.labels
        ],
        "most_labels": heatmap.MOST_LABELS,
        "fields": [(field, pictures.field_accuracy(field)) for field in data.fields if field.accuracy],
        "suites": [(suite, pictures.general_suite(suite)) for suite in data.general if suite.groups],
        "disagreements": [(row, answer_groups(row, use)) for row in data.disagreements],
        "recipe_rows": recipe_rows(data.recipe),
        "plain_settings": plain_settings(data.recipe),
        "classes": classes[:_MOST_CLASSES],
        "more_classes": classes[_MOST_CLASSES:],
        "check_facts": {key: v for key, v in data.check.items() if key != "labels" and v not in (None, [], (), {})},
    }


def _front(candidates: tuple[CandidateResult, ...]) -> list[str]:
    return [c.name for c in pareto_front(candidates, cost_of(candidates).values)] if candidates else []


def _metrics(candidates: list[CandidateResult]) -> list[str]:
    """Names of all metrics but the main one, in the order in which candidates bring them."""
    names = dict.fromkeys(name for c in candidates for name in c.scores if name != c.metric)
    return list(names)


def _speed(curve: LearningCurve) -> float | None:
    """Median tokens per second of training, None if it was not measured."""
    speeds = sorted(p.tokens_per_s for p in curve.points if p.tokens_per_s is not None)
    return speeds[len(speeds) // 2] if speeds else None


def _mark(score: float) -> str:
    if score >= _RIGHT_FROM:
        return "right"
    return "wrong" if score <= _WRONG_TO else "partly"


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    for name in ("percent", "interval", "points", "points_interval", "usd", "milliseconds", "duration", "count"):
        environment.filters[name] = getattr(words, name)
    environment.filters.update(p_value=words.p_value, label=words.label, scalar=words.scalar)
    environment.tests.update(tree=words.is_tree, flat=words.is_flat)
    return environment.from_string(_package_text("report.html.j2"))


@cache
def _css() -> Markup:
    return Markup(_package_text("report.css"))  # our own file


def _package_text(name: str) -> str:
    return resources.files(__package__ or "").joinpath(name).read_text(encoding="utf-8")
