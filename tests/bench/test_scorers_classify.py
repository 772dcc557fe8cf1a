"""Labels: exact after stripping, failed calls are wrong."""

from __future__ import annotations

import pytest

from chapeta.bench.results import Estimate
from chapeta.bench.scorers import scorer_for
from chapeta.bench.statistics import wilson
from chapeta.errors import BadInput
from chapeta.types import Answer, Example, Labels, Message, Task, Usage

TASK = Task("classify", Labels(("refund", "parcel", "login")), 8)


def example(label: str) -> Example:
    return Example((Message("user", "text"),), label)


def answer(text: str, failed: bool = False) -> Answer:
    return Answer(text, Usage(10, 2), 5.0, finish="error" if failed else "stop")


EXAMPLES = [example(label) for label in ("refund", "refund", "parcel", "parcel", "login")]
ANSWERS = [answer(" refund\n"), answer("parcel"), answer("parcel"), answer("parcel", failed=True), answer("Login")]


def test_accuracy_and_macro_f1() -> None:
    """By hand: refund 2·1/(2+1) = 2/3, parcel 2·1/(2+2) = 1/2, login 0: mean 7/18. Capital letters count."""
    found = scorer_for("classify").score(EXAMPLES, ANSWERS, TASK)
    assert (found.metric, found.rows) == ("accuracy", (1.0, 0.0, 1.0, 0.0, 0.0))
    macro_f1 = found.others["macro_f1"]
    assert isinstance(macro_f1, Estimate)
    assert macro_f1.value == pytest.approx(7 / 18)
    accuracy = found.estimates()["accuracy"]
    reference = wilson(2, 5)
    assert (accuracy.low, accuracy.high) == pytest.approx((reference.low, reference.high))
    assert list(found.estimates()) == ["accuracy", "macro_f1"]


def test_a_metric_without_row_scores_cannot_lead() -> None:
    with pytest.raises(BadInput, match=r"'macro_f1' cannot lead .* Choose one of: accuracy\."):
        scorer_for("classify", "macro_f1")


def test_an_answer_too_few_is_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        scorer_for("classify").score(EXAMPLES, ANSWERS[:4], TASK)
