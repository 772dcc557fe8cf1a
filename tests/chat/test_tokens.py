"""Estimates are near what vocabularies really count, learn from reports, and never claim to be exact."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chapeta.chat.tokens import LEAST_FACTOR, MOST_FACTOR, Estimate, by_script, of_body

# what o200k counts; the texts are their own names for the kind of text
COUNTED = [
    ("The quick brown fox jumps over the lazy dog, and nobody in the village was surprised by it. " * 10, 201),
    ("快速的棕色狐狸跳过了懒狗，村里没有人感到惊讶。" * 10, 230),
    ("1,2026-11-23,48.2;" * 10, 130),
]


@pytest.mark.parametrize(("text", "tokens"), COUNTED)
def test_is_near(text: str, tokens: int) -> None:
    assert Estimate()(text) == pytest.approx(tokens, rel=0.25)


def test_code_of_ours() -> None:
    """This file takes 0.23 to 0.3 tokens a character in the vocabularies that the weights come from."""
    text = Path(__file__).read_text(encoding="utf-8")
    assert 0.2 < by_script(text) / len(text) < 0.36


def test_learns_from_reports() -> None:
    count = Estimate()
    for _ in range(6):
        count = count.learn(1000, 1500)
    assert count.factor == pytest.approx(1.5, abs=0.1)
    assert count("word " * 1000) == pytest.approx(1.5 * by_script("word " * 1000), rel=0.1)
    assert not count.exact
    for _ in range(8):  # another model
        count = count.learn(1000, 800)
    assert count.factor == pytest.approx(0.85, abs=0.05)


def test_a_small_report_changes_little() -> None:
    assert Estimate().learn(10, 30).factor < 1.06


@given(st.lists(st.tuples(st.floats(-10, 1e6), st.integers(-10, 10**7)), max_size=20), st.text())
def test_whatever_is_reported(reports: list[tuple[float, int]], text: str) -> None:
    count = Estimate()
    for estimated, reported in reports:
        count = count.learn(estimated, reported)
    assert LEAST_FACTOR <= count.factor <= MOST_FACTOR
    assert count(text) >= 0
    assert count(text) > 0 or not text.strip() or not text.isprintable()


def test_of_a_body() -> None:
    body = {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]}
    assert of_body(body) == pytest.approx(by_script("Be brief.Hi") + 11)
    picture = {"type": "image_url", "image_url": {"url": "data:"}}
    assert of_body({"messages": [{"role": "user", "content": [picture, {"type": "text", "text": "Hi"}]}]}) is None


def test_a_megabyte_takes_milliseconds() -> None:
    started = time.perf_counter()
    by_script("The quick brown fox. " * 50_000)
    assert time.perf_counter() - started < 0.5
