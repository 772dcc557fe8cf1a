"""The page: what it says, that nothing in the data can become markup, that it loads nothing, that gaps do no harm."""

from __future__ import annotations

import dataclasses
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from report_sample import N_TEST, candidate, extract_sample, sample

from chapeta.bench.disagreements import CandidateAnswer, Disagreement
from chapeta.bench.flexibility import Flexibility, GeneralRow, GroupScore
from chapeta.bench.report import FlippedItem, GeneralGroup, GeneralSuite, ReportData, render
from chapeta.bench.report.render import answer_groups, class_shares, plain_settings, recipe_rows
from chapeta.bench.results import BenchResult, Estimate, Verdict

EVIL = "</title></style></pre></svg>\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7 * 7 }}"
VOID = {"meta", "br", "hr", "img", "input", "link"}


class Page(HTMLParser):
    """Elements, attributes and text of a page, and whether every element is closed in turn."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.crossed: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.crossed.append(tag)

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts).replace("\u00a0", " "))

    def tags(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag == name]


@pytest.fixture(scope="module")
def full() -> ReportData:
    return sample()


@pytest.fixture(scope="module")
def page(full: ReportData) -> Page:
    return Page(render(full))


def poisoned(value: Any) -> Any:
    """The same JSON with every string made hostile."""
    if isinstance(value, dict):
        return {key: poisoned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [poisoned(item) for item in value]
    return value + EVIL if isinstance(value, str) else value


def test_the_verdict_opens_the_page_in_words(page: Page) -> None:
    before_table = page.text.split("Best score first")[0]
    assert "Use tuned" in before_table
    assert "tuned is the cheapest candidate that is not inferior to tuned+skill" in before_table
    assert "Tuning pays from 1,840 calls" in before_table


def test_sections_come_in_order(page: Page) -> None:
    ids = [attributes.get("id") for attributes in page.tags("section")]
    assert ids == [
        "verdict",
        "candidates",
        "cost",
        "differences",
        "latency",
        "training",
        "errors",
        "disagreements",
        "general",
        "data",
        "settings",
    ]
    targets = {attributes["href"] for attributes in page.tags("a")}
    assert targets <= {f"#{name}" for name in ids}, "a link leads nowhere or out of the page"


def test_the_page_is_well_formed_and_has_no_double_id(page: Page) -> None:
    assert page.open == [] and page.crossed == []
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_the_page_loads_nothing_and_runs_nothing(full: ReportData) -> None:
    html = render(full)
    parsed = Page(html)
    for tag in ("script", "link", "img", "iframe", "object", "embed", "form", "base", "use", "image"):
        assert parsed.tags(tag) == []
    assert not re.search(r"https?://|url\(|@import|@font-face", html)
    policy = [m["content"] for m in parsed.tags("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_no_string_of_the_data_becomes_markup(full: ReportData) -> None:
    """Hostile strings, keys included, end nothing and begin nothing; the page shows them as the text they are."""
    for data in (full, extract_sample()):
        raw = data.to_json()
        hostile = ReportData.from_json({**poisoned(raw), "constraint": raw["constraint"]})
        keys = ("settings", "versions", "receipt", "check")
        hostile = dataclasses.replace(hostile, **{key: {EVIL: 7, "list": [EVIL, {EVIL: EVIL}]} for key in keys})
        html = render(hostile)
        parsed = Page(html)
        assert parsed.crossed == [] and parsed.open == []
        assert parsed.tags("script") == [] and parsed.tags("img") == []
        assert not any(name.startswith("on") for _, attributes in parsed.elements for name in attributes)
        assert "<script" not in html
        assert "<script>alert(1)</script>" in parsed.text
        assert "{{ 7 * 7 }}" in parsed.text and "49" not in parsed.text.split("Verdict")[0]


def test_unknown_cost_is_never_0_and_a_local_model_is_not_free_of_name(full: ReportData) -> None:
    mixed = [
        candidate("billed", 0.9, usd_per_1000_calls=0.0713),
        candidate("unknown-price", 0.8, usd_per_1000_calls=None),
        candidate("own-machine", 0.7, usd_per_1000_calls=0.0),
    ]
    parsed = Page(render(_with_candidates(full, mixed)))
    assert "$0.0713" in parsed.text
    cells = [i for i, (tag, a) in enumerate(parsed.elements) if a.get("data-label") == "$ per 1,000 calls"]
    assert len(cells) == 3
    assert "unknown" in parsed.text and "local" in parsed.text
    assert not re.search(r"\$0(\.0+)?\b(?!\.)", parsed.text)
    assert "because not every price is known" in parsed.text


def test_every_picture_is_described_and_drawn_for_wide_and_narrow(page: Page) -> None:
    pictures = page.tags("svg")
    # cost, differences, latency, curve, two confusions, general suite: each twice.
    assert len(pictures) == 14
    assert all(picture["role"] == "img" and len(picture["aria-label"] or "") > 20 for picture in pictures)
    classes = [attributes.get("class") for attributes in page.tags("div")]
    assert classes.count("wide") == classes.count("narrow") == 7


def test_what_was_not_measured_is_left_out() -> None:
    parsed = Page(render(extract_sample()))
    ids = [attributes.get("id") for attributes in parsed.tags("section")]
    assert "training" not in ids and "general" not in ids and "disagreements" not in ids
    assert "errors" in ids and "Accuracy by field" in parsed.text
    assert "indicative" in parsed.text and "Don’t tune: use skill" in parsed.text
    assert "decoded under constraint to the JSON schema" in parsed.text


def test_a_report_with_nothing_but_one_candidate_still_renders() -> None:
    bench = BenchResult("generate", "chrf", 3, ("a", "b", "c"), (candidate("base", 0.5),), ())
    data = ReportData("tiny", "", "", bench, Verdict("base", "get more data", (), True, 0.02))
    parsed = Page(render(data))
    assert "Get more data; until then use base" in parsed.text
    assert parsed.crossed == [] and parsed.open == []
    empty = dataclasses.replace(data, bench=dataclasses.replace(bench, candidates=()))
    assert "Get more data" in Page(render(empty)).text


def test_a_candidate_whose_calls_all_failed_is_listed_but_not_drawn(full: ReportData) -> None:
    nothing = Estimate(float("nan"), float("nan"), float("nan"), 0)
    failed = dataclasses.replace(
        candidate("failed", 0.5, latency_p50_ms=float("nan"), latency_p95_ms=float("nan"), errors=N_TEST),
        score=nothing,
    )
    html = render(_with_candidates(full, [candidate("fine", 0.9), failed]))
    parsed = Page(html)
    assert "320 failed calls" in parsed.text
    assert "nan" not in " ".join(str(v) for tag, a in parsed.elements if tag != "th" for v in a.values()).split()
    assert not any("failed" in (picture["aria-label"] or "") for picture in parsed.tags("svg"))


def test_data_survives_json(full: ReportData) -> None:
    for data in (full, extract_sample()):
        again = ReportData.from_json(json.loads(json.dumps(data.to_json())))
        assert again == data
        assert render(again) == render(data)


def test_lone_surrogates_can_be_written(full: ReportData) -> None:
    html = render(dataclasses.replace(full, task="broken \ud83d half"))
    assert "broken ? half" in html.encode("utf-8").decode()


def test_candidates_that_said_the_same_share_a_card() -> None:
    said = (CandidateAnswer("a", "x", 0.0), CandidateAnswer("b", "y", 1.0), CandidateAnswer("c", "x", 0.0))
    groups = answer_groups(Disagreement("id", "?", "y", (*said, CandidateAnswer("d", "z", 0.5))), "c")
    assert [(g.candidates, g.mark, g.has_chosen) for g in groups] == [
        (("b",), "right", False),
        (("d",), "partly", False),
        (("a", "c"), "wrong", True),
    ]


def test_long_texts_are_folded_and_whole(full: ReportData) -> None:
    long = "word " * 400 + "THE END"
    row = Disagreement("id", long, "x", (CandidateAnswer("a", "x", 1.0), CandidateAnswer("b", "y", 0.0)))
    parsed = Page(render(dataclasses.replace(full, disagreements=(row,))))
    assert "Whole text, 2,007 characters" in parsed.text and "THE END" in parsed.text


def test_the_general_suite_is_taken_from_the_bench() -> None:
    half, third = Estimate(0.5, 0.1, 0.9, 6), Estimate(1 / 3, 0.1, 0.7, 6)
    rows = (
        GeneralRow("f1", "facts", "Capital of Peru?", "Lima", "Quito", True, False),
        GeneralRow("f2", "facts", "Is ice cold?", "yes", "yes", True, True),
    )
    found = Flexibility(half, third, third, (GroupScore("facts", half, third, third),), rows)
    suite = GeneralSuite.of("tuned", found)
    assert suite.groups == (GeneralGroup("facts", 6, 0.5, 1 / 3),)
    assert suite.flipped == (FlippedItem("facts", "Capital of Peru?", "Lima", "Quito", False),)


def test_recipe_and_class_balance_are_read_as_written() -> None:
    recipe = {"recipe": {"rank": 8, "schedule": "linear"}, "reasons": {"rank": "Few rows."}}
    assert recipe_rows(recipe) == [("rank", 8, "Few rows.")]
    assert plain_settings(recipe) == {"schedule": "linear"}
    shares = class_shares({"labels": {"a": 25, "b": 75}})
    assert [(s.label, s.rows, s.share, round(s.width, 1)) for s in shares] == [
        ("b", 75, 0.75, 100.0),
        ("a", 25, 0.25, 33.3),
    ]
    assert class_shares({"labels": None}) == [] and class_shares({}) == []


def _with_candidates(data: ReportData, candidates: list[Any]) -> ReportData:
    bench = dataclasses.replace(data.bench, candidates=tuple(candidates), comparisons=())
    return dataclasses.replace(data, bench=bench)


def test_the_chosen_candidates_confusions_stand_open_and_first() -> None:
    data = sample()
    turned = dataclasses.replace(data, confusions=data.confusions[::-1])
    assert [c.candidate for c in turned.confusions] == ["nearest", data.verdict.use]
    html = render(turned)
    assert html.index("<h3>tuned</h3>") < html.index("Confusions of nearest")
