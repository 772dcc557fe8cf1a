"""Free text: chrF as sacrebleu computes it, ROUGE-L by hand, exact match."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chapeta.bench.scorers import scorer_for
from chapeta.bench.scorers.generate import chrf, rouge_l
from chapeta.types import Answer, Example, Message, Task, Usage

TASK = Task("generate", None, 60)


def answer(text: str, failed: bool = False) -> Answer:
    return Answer(text, Usage(10, 2), 5.0, finish="error" if failed else "stop")


def test_chrf_by_hand() -> None:
    """ "abc" for "abcd": n-grams of order 1 to 4 exist in the reference, 1 to 3 in the answer; precision is 1 wherever
    it is defined, recall 3/4, 2/3, 1/2; sacrebleu averages over the orders that both have."""
    precision, recall = 1.0, (3 / 4 + 2 / 3 + 1 / 2) / 3
    assert chrf("abcd", "abc") == pytest.approx(5 * precision * recall / (4 * precision + recall), abs=1e-9)
    assert chrf("abc", "xyz") == 0.0


def test_rouge_l_by_hand() -> None:
    """The longest common subsequence of the words is "the cat on mat": 4 of 6 and 4 of 5."""
    assert rouge_l("The cat sat on the mat.", "the cat lay on mat") == pytest.approx(2 * 4 / (6 + 5))
    assert rouge_l("Straße über Öl", "STRASSE über öl") == pytest.approx(2 * 2 / 6)
    assert rouge_l("👍", "👍") == 1.0
    assert rouge_l("👍", "") == 0.0


def test_rows_and_failed_calls() -> None:
    examples = [Example((Message("user", "q"),), text) for text in ("Your parcel left today.", "Sorry!", "")]
    answers = [answer("Your parcel left today. "), answer("Sorry!", failed=True), answer("")]
    found = scorer_for("generate").score(examples, answers, TASK)
    assert (found.metric, found.rows) == ("chrf", (1.0, 0.0, 1.0))
    assert found.others == {"rouge_l": (1.0, 0.0, 1.0), "exact_match": (1.0, 0.0, 1.0)}
    assert scorer_for("generate", "rouge_l").score(examples, answers, TASK).metric == "rouge_l"


@given(st.text(max_size=30), st.text(max_size=30))
@settings(max_examples=40, deadline=None)
def test_scores_are_shares_and_a_text_matches_itself(reference: str, text: str) -> None:
    reference, text = reference.strip(), text.strip()
    assert 0 <= chrf(reference, text) <= 1 and 0 <= rouge_l(reference, text) <= 1
    assert rouge_l(reference, text) == rouge_l(text, reference)
    assert chrf(reference, reference) == pytest.approx(1) and rouge_l(reference, reference) == 1
