"""Flexibility: scores, paired change and flipped rows from answers whose verdict is known by hand."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chapeta.bench.flexibility import flexibility, requests
from chapeta.bench.general import GROUPS, load_suite
from chapeta.errors import BadInput
from chapeta.types import Message

SUITE = load_suite()
PROSE = "I would be glad to help you with that."
ANSWERS = {
    "facts/capital-japan": "Tokyo.",
    "facts/week": "seven",
    "arithmetic/add-2-3": "2 + 3 = 5",
    "instructions/repeat-lamp": "The lamp is on the table.",
    "format/json-person": '{"name": "Ann", "age": 4}',
    "format/no-moon": "No.",
} | {item.id: PROSE for item in SUITE if item.group == "off-task"}


def answers(*left_out: str) -> list[str]:
    return [ANSWERS.get(item.id, "") if item.id not in left_out else "" for item in SUITE]


def test_scores_are_shares_of_items_passed() -> None:
    n, off_task = len(SUITE), sum(item.group == "off-task" for item in SUITE)
    found = flexibility(answers(), answers("facts/week", "format/no-moon"))
    assert found.base.value == pytest.approx((6 + off_task) / n)
    assert found.tuned.value == pytest.approx((4 + off_task) / n)
    assert found.change.value == pytest.approx(-2 / n)
    assert found.base.n == found.tuned.n == found.change.n == n
    assert found.change.low < found.change.value < found.change.high
    assert [row.id for row in found.lost] == ["facts/week", "format/no-moon"]
    assert found.gained == ()


def test_groups_cover_the_suite_and_show_where_it_moved() -> None:
    found = flexibility(answers(), answers("facts/week", "format/no-moon"))
    assert tuple(score.group for score in found.groups) == GROUPS
    assert sum(score.base.n for score in found.groups) == len(SUITE)
    change = {score.group: score.change.value * score.change.n for score in found.groups}
    assert change == pytest.approx({"instructions": 0, "facts": -1, "arithmetic": 0, "format": -1, "off-task": 0})
    assert {s.group: s.base.value for s in found.groups}["off-task"] == 1.0


def test_swapped_answers_swap_the_sign() -> None:
    lost = flexibility(answers(), answers("facts/week"))
    gained = flexibility(answers("facts/week"), answers())
    assert gained.change.value == -lost.change.value
    assert (gained.change.low, gained.change.high) == pytest.approx((-lost.change.high, -lost.change.low))
    assert gained.gained[0].id == lost.lost[0].id == "facts/week"


def test_a_model_that_only_says_its_label_has_lost_everything() -> None:
    found = flexibility(answers(), ["card arrival"] * len(SUITE), ["card_arrival"])
    assert found.tuned.value == 0
    assert found.change.high < 0
    assert len(found.lost) == len(ANSWERS)


def test_a_label_of_many_words_counts_only_where_it_was_trained() -> None:
    label = "I would be glad to help you with that."
    assert flexibility(answers(), answers()).change.value == 0
    trained = flexibility(answers(), answers(), [label])
    assert {s.group: s.tuned.value for s in trained.groups}["off-task"] == 0


@pytest.mark.parametrize(("base", "tuned", "whose"), [(-1, 0, "base"), (0, -1, "tuned")])
def test_too_few_answers_are_refused(base: int, tuned: int, whose: str) -> None:
    with pytest.raises(BadInput, match=f"{len(SUITE) - 1} {whose} answers"):
        flexibility(answers()[: len(SUITE) + base], answers()[: len(SUITE) + tuned])


def test_requests_ask_the_bare_question_in_order() -> None:
    asked = requests("small", "/adapters/a.gguf")
    assert [r.messages for r in asked] == [(Message("user", item.prompt),) for item in SUITE]
    assert [r.decoding.max_tokens for r in asked] == [item.max_tokens for item in SUITE]
    assert all(r.decoding.temperature == 0 and r.decoding.constraint is None for r in asked)
    assert {(r.model, r.adapter) for r in asked} == {("small", "/adapters/a.gguf")}
    assert {r.adapter for r in requests("small", None)} == {None}
    assert len({r.fingerprint for r in asked}) == len(SUITE)


def test_json_has_each_item_with_both_answers() -> None:
    body = json.loads(json.dumps(flexibility(answers(), answers("facts/week")).to_json()))
    assert body["lost"] == ["facts/week"]
    assert body["gained"] == []
    week = next(row for row in body["rows"] if row["id"] == "facts/week")
    assert week["prompt"] == "How many days are in a week?"
    assert (week["base_answer"], week["base_passed"]) == ("seven", True)
    assert (week["tuned_answer"], week["tuned_passed"]) == ("", False)
    assert body["change"]["n"] == len(body["rows"]) == len(SUITE)


@settings(max_examples=25, deadline=None)
@given(st.sets(st.sampled_from(sorted(ANSWERS))), st.sets(st.sampled_from(sorted(ANSWERS))))
def test_change_is_gained_minus_lost(base_out: set[str], tuned_out: set[str]) -> None:
    found = flexibility(answers(*base_out), answers(*tuned_out))
    assert found.change.value * len(SUITE) == pytest.approx(len(found.gained) - len(found.lost))
    assert found.change.value == pytest.approx(found.tuned.value - found.base.value)
    assert {row.id for row in found.lost} == tuned_out - base_out
