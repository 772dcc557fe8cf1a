"""The general suite and its checks: every check on answers judged by hand, and no item that a trained format passes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chapeta.bench.general import CHECKS, GROUPS, Check, GeneralItem, load_suite, parse_suite, passes
from chapeta.errors import Corrupt
from chapeta.stages.run import MOST_GENERAL_ITEMS

TRIAGE = '{"team":"billing","urgency":"low"}'


def item(*checks: tuple[str, object]) -> GeneralItem:
    return GeneralItem("x", "format", "?", tuple(Check(name, argument) for name, argument in checks), 16)


def test_suite_has_its_size_and_shape() -> None:
    suite = load_suite()
    assert len(suite) >= 130
    assert len({i.id for i in suite}) == len({i.prompt for i in suite}) == len(suite)
    for group in GROUPS:
        assert sum(i.group == group for i in suite) >= 20, group
    assert all(1 <= i.max_tokens <= 40 and i.id.startswith(i.group + "/") for i in suite)


@pytest.mark.parametrize("blank", ["", " ", "\n\t", "```\n```", "."])
def test_no_item_passes_on_nothing(blank: str) -> None:
    assert [i.id for i in load_suite() if passes(i, blank)] == []


@pytest.mark.parametrize(
    "answer",
    [
        TRIAGE,
        '{"team": "delivery", "urgency": "high", "language": "en"}',
        '```json\n{"team": "returns"}\n```',
        '{"label": 3}',
        '["billing"]',
        "card_arrival",
        "billing",
        "Refund not showing up",
        "positive",
        "3",
    ],
)
def test_a_trained_format_fails_nearly_all_items(answer: str) -> None:
    passed = [i.id for i in load_suite() if passes(i, answer, [answer])]
    assert len(passed) <= 2, passed


def test_off_task_items_want_prose() -> None:
    prose = "Of course, I would be glad to help you with that."
    off_task = [i for i in load_suite() if i.group == "off-task"]
    assert all(passes(i, prose, ["billing"]) for i in off_task)
    for answer in (TRIAGE, TRIAGE[:20], "Billing.", "low low low low low low", "1 2 3 4 5 6 7 8"):
        assert not any(passes(i, answer, ["billing"]) for i in off_task), answer


def test_a_label_of_many_words_is_no_prose() -> None:
    greeting = next(i for i in load_suite() if i.group == "off-task")
    assert passes(greeting, "Why do you verify my identity?")
    assert not passes(greeting, "Why do you verify my identity?", ["why_do_you_verify_my_identity?"])


@pytest.mark.parametrize(
    ("name", "argument", "met", "unmet"),
    [
        ("contains_any", ("ice", "snow"), ["Ice.", "it is snow"], ["nice", "snowy", "water"]),
        ("contains_any", ("blue whale",), ["the Blue\nwhale"], ["bluewhale", "blue or whale"]),
        ("contains_any", ("don't",), ["I don\u2019t know"], ["dont"]),
        ("contains_all", ("river", "bridge"), ["A bridge over a river."], ["A river."]),
        ("equals_any", ("ok", "yes"), ['"OK."', "Yes!", "**yes**"], ["yes or no", "y"]),
        ("lacks", (",", "E"), ["a b"], ["a, b", "tree"]),
        ("max_words", 2, ["red apple", "red - apple"], ["a red apple"]),
        ("min_words", 2, ["red apple"], ["apple", "apple - !"]),
        ("starts_with", "Dear Anna", ["dear anna, thanks", '"Dear Anna'], ["My dear Anna"]),
        ("ends_with", "?", ["Who?", '"Who?"'], ["Who? Me."]),
        ("uppercase", True, ["GO 5!"], ["Go", "5!"]),
        ("json_has_key", ("a",), ['```json\n{"a": 1}\n```'], ['{"a": 1} there', '{"a": 1', "a"]),
        ("json_has_key", ("a", "b"), ['{"a": 1, "b": 2}'], ['{"a": 1}', '{"A": 1, "B": 2}', '["a", "b"]', '"ab"']),
        ("not_json", True, ["Hello {you}"], ["{", "[1]", '```json\n{"a": 1}\n```']),
        ("numbered", 2, ["1. a\n2. b", "Here:\n\n1) a\n2) b"], ["1. a", "1. a\n2. b\n3. c", "1. a\n3. b", "1.\n2."]),
        ("bullets", 2, ["- a\n- b", "So:\n* a\n* b"], ["- a", "-a\n-b", "- a\n- b\n- c"]),
        ("comma_items", 3, ["red, green, blue", "a b, c, and d."], ["red, green", "I like red, green, blue", "a, , b"]),
        ("number", 12, ["12", "7 + 5 = 12.", "It is 12.0", "$12!"], ["12 + 1 = 13", "120", "-12", "twelve", "1,012"]),
        ("number", 1200, ["1,200", "1200."], ["1.200", "200"]),
        ("matches", r"\bHELLO\b", ["so HELLO you"], ["Hello", "OTHELLO"]),
        ("prose", 3, ["one two, three"], ["one one one", "one two 3", "1 2 3"]),
    ],
)
def test_check(name: str, argument: object, met: list[str], unmet: list[str]) -> None:
    one = item((name, argument))
    assert [answer for answer in met if not passes(one, answer)] == []
    assert [answer for answer in unmet if passes(one, answer)] == []


def test_no_check_is_dead() -> None:
    assert {check.name for i in load_suite() for check in i.checks} == set(CHECKS)


def test_an_echo_of_the_question_is_no_answer() -> None:
    asked = [i for i in load_suite() if i.group in ("facts", "arithmetic")]
    assert [i.id for i in asked if passes(i, i.prompt)] == []


def test_deep_brackets_are_no_json() -> None:
    assert not passes(item(("json_has_key", ("a",))), '{"a":' * 100_000)


def test_endless_digits_are_no_list() -> None:
    assert not passes(item(("numbered", 1)), "1" * 10_000 + ". a")


def test_all_checks_of_an_item_must_hold() -> None:
    both = item(("max_words", 1), ("contains_any", ("blue",)))
    assert passes(both, "Blue.")
    assert not passes(both, "Red.")
    assert not passes(both, "It is blue.")


def test_not_trained_compares_whole_answers() -> None:
    one = item(("not_trained", True))
    labels = ["card_arrival", "Top up"]
    assert not passes(one, " Card arrival. ", labels)
    assert not passes(one, '"top_up"', labels)
    assert passes(one, "Your card arrival is late.", labels)
    assert passes(one, "card_arrival")


@given(st.text(max_size=60), st.lists(st.text(max_size=8), max_size=3))
def test_any_answer_is_judged(answer: str, labels: list[str]) -> None:
    for one in load_suite():
        assert passes(one, answer, labels) in (True, False)


@pytest.mark.parametrize("base", ["It is Paris.", TRIAGE, "1. a\n2. b"])
def test_space_around_an_answer_does_not_matter(base: str) -> None:
    for one in load_suite():
        assert passes(one, base) == passes(one, f"\n  {base} \n")


GOOD = {"id": "a", "group": "facts", "prompt": "?", "checks": [{"max_words": 1}], "max_tokens": 8}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"checks": [{"max_word": 1}]}, "max_word"),
        ({"checks": []}, "no checks"),
        ({"group": "poems"}, "poems"),
        ({"max_tokens": "many"}, "many"),
    ],
)
def test_a_broken_suite_names_its_line(change: dict[str, object], word: str) -> None:
    text = json.dumps(GOOD) + "\n" + json.dumps({**GOOD, "id": "b", **change})
    with pytest.raises(Corrupt, match=rf"line 2 .*{word}"):
        parse_suite(text)


@pytest.mark.parametrize("second", [json.dumps(GOOD), "", "[]", '{"id": "b"}', "{"])
def test_a_line_that_is_no_item_is_named(second: str) -> None:
    with pytest.raises(Corrupt, match="line 2"):
        parse_suite(json.dumps(GOOD) + "\n" + second + "\n")


def test_the_option_allows_as_many_items_as_there_are() -> None:
    assert len(load_suite()) == MOST_GENERAL_ITEMS
