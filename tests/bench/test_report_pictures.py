"""The pictures: what they compute is checked by hand, and names never cover each other, however close values are."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from report_sample import candidate, sample

from chapeta.bench.report import Confusion, CurvePoint, LearningCurve, pictures, words
from chapeta.bench.report.curve import has_curve, learning_curve_picture, running_mean
from chapeta.bench.report.heatmap import mix_ups, most_confused
from chapeta.bench.report.labels import Anchor, Box, place_labels
from chapeta.bench.report.pareto import cost_of, pareto_front, pareto_picture
from chapeta.bench.report.rows import Axis, Row, rows_picture
from chapeta.bench.report.svg import NARROW_PX, WIDE_PX, Scale, shorten, text_width
from chapeta.bench.results import BenchResult, Comparison, Estimate

NAMES = ("base", "few-shot", "nearest", "skill", "tuned", "tuned+skill")


def test_the_front_is_what_nothing_beats_on_both() -> None:
    figures = {
        "cheap": (10.0, 0.6),
        "middle": (50.0, 0.8),
        "beaten": (60.0, 0.7),
        "dear": (90.0, 0.9),
        "same": (90.0, 0.85),
    }
    candidates = [candidate(name, score, tokens_in=cost, tokens_out=0.0) for name, (cost, score) in figures.items()]
    cost = {name: values[0] for name, values in figures.items()}
    assert [c.name for c in pareto_front(candidates, cost)] == ["cheap", "middle", "dear"]


def test_twins_are_both_on_the_front() -> None:
    twins = [candidate("one", 0.8), candidate("two", 0.8)]
    assert pareto_front(twins, {"one": 5.0, "two": 5.0}) == twins


@pytest.mark.parametrize(
    ("usd", "in_usd"),
    [([0.1, 0.2], True), ([0.0, 0.2], True), ([0.0, 0.0], False), ([None, 0.2], False)],
)
def test_cost_is_dollars_only_where_all_are_known_and_someone_pays(usd: list[float | None], in_usd: bool) -> None:
    candidates = [candidate(f"c{i}", 0.5, usd_per_1000_calls=u, tokens_in=7.0) for i, u in enumerate(usd)]
    cost = cost_of(candidates)
    assert cost.in_usd is in_usd
    assert list(cost.values.values()) == (usd if in_usd else [9.0, 9.0])


close_values = st.lists(st.tuples(st.floats(0.90, 0.92), st.floats(100, 104)), min_size=6, max_size=6)


@settings(deadline=None, max_examples=40)
@given(close_values, st.sampled_from([WIDE_PX, NARROW_PX]))
@example([(0.91, 100.0)] * 6, NARROW_PX)
def test_six_close_candidates_are_all_named_and_no_name_covers_another(
    values: list[tuple[float, float]], width: int
) -> None:
    candidates = [candidate(n, s, tokens_in=t) for n, (s, t) in zip(NAMES, values, strict=True)]
    svg = pareto_picture(candidates, "tuned", width)
    boxes = [_box(t) for t in _texts(svg) if "name" in t.get("class", "").split()]
    assert len(boxes) == 6
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])
    assert all(box.left >= -1 and box.right <= width + 1 for box in boxes)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.floats(0, 300), st.floats(0, 300), st.floats(20, 200)), min_size=1, max_size=8),
)
def test_labels_stay_in_bounds_and_apart(spots: list[tuple[float, float, float]]) -> None:
    bounds = Box(0, 0, 300, 300)
    placed = place_labels([Anchor(x, y, w, 16) for x, y, w in spots], [], bounds)
    boxes = [box for box in placed if box is not None]
    assert len(boxes) == len(spots)
    assert all(box.inside(bounds) for box in boxes)
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.text("abcmW@ü界-+/", min_size=1, max_size=60), min_size=1, max_size=6),
    st.sampled_from([WIDE_PX, NARROW_PX]),
)
def test_names_and_figures_of_a_row_never_meet(names: list[str], width: int) -> None:
    rows = [Row(name, 0.5, 0.4, 0.6, "−12.5  (−16.8 to −8.2)") for name in names]
    texts = _texts(rows_picture(rows, Axis("x", words.tick_percent), "d.", width))
    named = [_box(t) for t in texts if "name" in t.get("class", "").split()]
    figures = [_box(t) for t in texts if t.get("class") == "figures"]
    assert len(named) == len(figures) == len(rows)
    assert all(n.right <= f.left for n, f in zip(named, figures, strict=True))


def test_differences_are_turned_to_candidate_minus_best() -> None:
    a, b, c = (candidate(n, s) for n, s in (("a", 0.7), ("best", 0.9), ("c", 0.8)))
    comparisons = (
        Comparison("a", "best", Estimate(-0.2, -0.25, -0.15, 320), 0.0, 0.0, "t"),
        Comparison("best", "c", Estimate(0.1, 0.04, 0.16, 320), 0.01, 0.02, "t"),
        Comparison("a", "c", Estimate(-0.1, -0.15, -0.05, 320), 0.0, 0.0, "t"),
    )
    bench = BenchResult("classify", "accuracy", 320, (), (a, b, c), comparisons)
    found = pictures.against_best(bench)
    assert [(name, d.value, d.low, d.high) for name, d, _ in found] == [
        ("c", -0.1, -0.16, -0.04),
        ("a", -0.2, -0.25, -0.15),
    ]


def test_confusions_are_counted_and_the_worst_kept() -> None:
    confusion = Confusion.count("c", ["a", "a", "b", "b", "d"], ["a", "b", "b", "a", "e"])
    assert confusion.labels == ("a", "b", "d", "e")
    assert confusion.matrix == ((1, 1, 0, 0), (1, 1, 0, 0), (0, 0, 0, 1), (0, 0, 0, 0))
    assert [(m.expected, m.answered, m.rows, m.of) for m in mix_ups(confusion)] == [
        ("a", "b", 1, 2),
        ("b", "a", 1, 2),
        ("d", "e", 1, 1),
    ]
    part = most_confused(confusion, 2)
    assert part.labels == ("a", "b") and part.matrix == ((1, 1), (1, 1))
    assert most_confused(confusion, 4) is confusion


def test_many_labels_fit_the_narrow_picture() -> None:
    labels = [f"a rather long label number {i}" for i in range(77)]
    confusion = Confusion.count("c", labels, labels[1:] + labels[:1])
    svg = pictures.confusions(confusion)
    for width in re.findall(r'viewBox="0 0 ([\d.]+) ', svg):
        assert float(width) in (WIDE_PX, NARROW_PX)
    assert svg.count("<rect") == 2 * 16 * 16


def test_running_mean_by_hand() -> None:
    assert running_mean([(0, 3.0), (1, 6.0), (2, 0.0), (3, 3.0)], 3) == [(0, 4.5), (1, 3.0), (2, 3.0), (3, 1.5)]


def test_a_long_run_is_thinned_and_gaps_are_skipped() -> None:
    points = tuple(CurvePoint(i, float("nan") if i == 5 else 2.0 / (i + 1)) for i in range(20_000))
    svg = learning_curve_picture(LearningCurve("tuned", points), WIDE_PX)
    assert len(svg) < 40_000 and "nan" not in svg
    assert not has_curve(LearningCurve("tuned", points[:1]))
    assert has_curve(LearningCurve("tuned", (CurvePoint(1, None, 0.2), CurvePoint(2, None, 0.3))))


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6), st.integers(1, 12), st.booleans())
def test_ticks_are_few_and_within_the_domain(a: float, b: float, most: int, log: bool) -> None:
    low, high = sorted((a, b))
    ticks = Scale(low, high, 0, 100, log).ticks(most)
    assert 1 <= len(ticks) <= most
    slack = (high - low) * 1e-6 + high * 2e-3 * log
    assert all(low - slack <= tick <= high + slack for tick in ticks) or ticks == [low]


def test_scales_map_ends_and_middle() -> None:
    assert [Scale(0, 10, 100, 200)(v) for v in (0, 5, 10, 99)] == [100, 150, 200, 200]
    assert Scale(1, 100, 0, 200, log=True)(10) == pytest.approx(100)


def test_names_are_shortened_in_the_middle() -> None:
    assert shorten("tuned", 200) == "tuned"
    short = shorten("provider/family/model-large + skill", 150)
    assert "…" in short and short.startswith("prov") and short.endswith("skill") and text_width(short) <= 150


def test_figures_read_as_people_write_them() -> None:
    assert words.percent(0.912).replace("\u00a0", " ") == "91.2 %"
    assert words.points(-0.021) == "−2.1" and words.points(0.004) == "+0.4" and words.points(-0.0001) == "0.0"
    assert [words.usd(v) for v in (None, 0.0, 0.000412, 0.1, 12.5, 1234.0)] == [
        "unknown",
        "local",
        "$0.000412",
        "$0.10",
        "$12.50",
        "$1,234.00",
    ]
    assert [words.milliseconds(v).replace("\u00a0", " ") for v in (None, 0, 3.14, 85.4, 1240, 61_000)] == [
        "unknown",
        "0 ms",
        "3.1 ms",
        "85 ms",
        "1.24 s",
        "61 s",
    ]
    assert [words.duration(v).replace("\u00a0", " ") for v in (41, 200, 7500)] == ["41 s", "3 min 20 s", "2 h 05 min"]
    assert words.count(12345.0) == "12,345" and words.count(2.33) == "2.3"
    assert words.tick_percent(0.975).startswith("97.5") and words.tick_points(-0.025) == "−2.5"


def test_all_pictures_are_well_formed() -> None:
    data = sample()
    drawn = [
        pictures.quality_against_cost(data.bench, "tuned"),
        pictures.paired_differences(data.bench, 0.02, "tuned"),
        pictures.latency(data.bench.candidates, "tuned"),
        pictures.learning_curve(data.curves[0]),
        pictures.confusions(data.confusions[0]),
        pictures.general_suite(data.general[0]),
    ]
    for picture in drawn:
        assert picture is not None
        root = ElementTree.fromstring(f"<div>{picture}</div>")
        assert len(root.findall(".//svg")) == 2


def _texts(svg: str) -> list[ElementTree.Element]:
    return ElementTree.fromstring(svg).findall(".//text")


def _box(text: ElementTree.Element) -> Box:
    """What the text covers at most, from its anchor, by the same generous estimate that the pictures use."""
    x, y, width = float(text.get("x", 0)), float(text.get("y", 0)), text_width(text.text or "")
    left = {"start": x, "end": x - width, "middle": x - width / 2}[text.get("text-anchor", "start")]
    return Box(left, y - 11, left + width, y + 3)
