"""JSON objects: equal as JSON, field by field, against the schema; unreadable answers are wrong everywhere."""

from __future__ import annotations

import pytest

from chapeta.bench.results import Estimate
from chapeta.bench.scorers import scorer_for
from chapeta.bench.scorers.extract import UNREADABLE, parse, same_json
from chapeta.errors import BadInput
from chapeta.types import Answer, Example, Json, Message, Schema, Task, Usage

SCHEMA: Json = {
    "type": "object",
    "properties": {"team": {"enum": ["billing", "shipping"]}, "order": {"type": ["integer", "null"]}},
    "required": ["team", "order"],
    "additionalProperties": False,
}
TASK = Task("extract", Schema(SCHEMA), 40)


def example(text: str) -> Example:
    return Example((Message("user", "text"),), text)


def answer(text: str, failed: bool = False) -> Answer:
    return Answer(text, Usage(10, 2), 5.0, finish="error" if failed else "stop")


EXAMPLES = [
    example('{"order": 12, "team": "billing"}'),
    example('{"team": "billing", "order": 7}'),
    example('{"team": "shipping", "order": null}'),
    example('{"team": "shipping", "order": 5}'),
    example('{"team": "shipping", "order": null}'),
]
ANSWERS = [
    answer(' {"team": "billing", "order": 12.0}\n'),  # right: order of keys and 12.0 make no difference
    answer('{"team": "billing", "order": 8, "mood": "angry"}'),  # one of three fields right, not in the schema
    answer('{"team": "shipping", "order": 3}'),  # an invented order
    answer('{"team": "shipping", "order": 5'),  # cut off
    answer('{"team": "shipping", "order": null}', failed=True),
]


def test_scores_by_hand() -> None:
    found = scorer_for("extract").score(EXAMPLES, ANSWERS, TASK)
    assert (found.metric, found.rows) == ("exact_object", (1, 0, 0, 0, 0))
    assert found.others["mean_field_accuracy"] == pytest.approx((1, 1 / 3, 1 / 2, 0, 0))
    assert found.others["schema_valid"] == (1, 0, 1, 0, 0)
    assert found.others["accuracy[team]"] == (1, 1, 1, 0, 0)
    assert found.others["accuracy[order]"] == (1, 0, 0, 0, 0)


def test_field_f1_by_hand() -> None:
    """team: 3 right of 5 expected and 3 given; order: 1 right of 3 expected (two are null) and 3 given."""
    others = scorer_for("extract").score(EXAMPLES, ANSWERS, TASK).others
    team, order = others["f1[team]"], others["f1[order]"]
    assert isinstance(team, Estimate) and isinstance(order, Estimate)
    assert (team.value, order.value) == pytest.approx((6 / 8, 2 / 6))
    assert [name for name in others if name.startswith("f1")] == ["f1[team]", "f1[order]"]


def test_another_metric_leads() -> None:
    found = scorer_for("extract", "mean_field_accuracy").score(EXAMPLES, ANSWERS, TASK)
    assert found.metric == "mean_field_accuracy" and found.rows[2] == 0.5
    assert "exact_object" in found.others and "mean_field_accuracy" not in found.others
    with pytest.raises(BadInput, match="exact_object, mean_field_accuracy, schema_valid"):
        scorer_for("extract", "chrf")


def test_a_missing_field_is_right_only_where_it_should_be_missing() -> None:
    examples = [example('{"a": 1}'), example('{"a": 1, "b": 2}'), example('{"a": 1}')]
    answers = [answer('{"a": 1}'), answer('{"a": 1}'), answer("no idea")]
    others = scorer_for("extract").score(examples, answers, Task("extract", None, 20)).others
    assert others["accuracy[b]"] == (1, 0, 0)
    assert others["schema_valid"] == (1, 1, 0)


@pytest.mark.parametrize(
    ("first", "second", "equal"),
    [
        ("1", "1.0", True),
        ("1", "true", False),
        ("0", "false", False),
        ('{"a": [1, {"b": null}]}', '{"a":[1,{"b":null}]}', True),
        ('{"a": [1, true]}', '{"a": [1, 1]}', False),
        ("[1, 2]", "[2, 1]", False),
        ("[1]", "[1, 2]", False),
        ('"é"', '"\\u00e9"', True),
        ("null", "{}", False),
    ],
)
def test_equality_is_jsons(first: str, second: str, equal: bool) -> None:
    assert same_json(parse(first), parse(second)) is equal


@pytest.mark.parametrize("text", ["", "NaN", '{"a": Infinity}', "{'a': 1}", '```json\n{"a": 1}\n```', "[" * 100_000])
def test_what_is_not_json_is_unreadable(text: str) -> None:
    assert parse(text) is UNREADABLE
    assert not same_json(parse(text), parse(text))


def test_a_wrong_schema_is_named() -> None:
    task = Task("extract", Schema({"type": "objekt"}), 20)
    with pytest.raises(BadInput, match="JSON schema is not valid: 'objekt'"):
        scorer_for("extract").score(EXAMPLES, ANSWERS, task)
