"""The task seen in the answers, and the schema of JSON answers, against hand-made cases and a JSON schema validator."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chapeta.errors import BadInput
from chapeta.examples.schema import schema_of
from chapeta.examples.task import closed_set, infer_task
from chapeta.types import Example, Labels, Message, Schema


def examples(answers: list[str]) -> list[Example]:
    return [Example((Message("user", f"q{i}"),), answer) for i, answer in enumerate(answers)]


def objects(rows: list[dict[str, Any]]) -> list[Example]:
    return examples([json.dumps(row) for row in rows])


def test_few_recurring_answers_are_labels() -> None:
    task = infer_task(examples(["spam", "ham", "ham"] * 10))
    assert (task.kind, task.constraint) == ("classify", Labels(("ham", "spam")))


def test_free_text_is_generate() -> None:
    task = infer_task(examples([f"answer number {i}" for i in range(30)]))
    assert (task.kind, task.constraint) == ("generate", None)


def test_a_stray_label_does_not_hide_a_closed_set_but_many_do() -> None:
    assert closed_set(Counter({"a": 50, "b": 49, "typo": 1}))
    assert not closed_set(Counter({"a": 60, **{f"city {i}": 1 for i in range(10)}}))
    assert not closed_set(Counter({f"v{i}": 5 for i in range(201)}))
    assert not closed_set(Counter({"x" * 101: 50}))
    assert not closed_set(Counter())


def test_objects_give_a_schema() -> None:
    rows = [
        {
            "team": ["billing", "delivery"][i % 2],
            "urgent": i % 3 == 0,
            "level": i % 3,
            "amount": 10 * i,
            "price": i / 2,
            "name": f"customer {i}",
            "items": [{"sku": f"s{i}"}] if i % 2 else [],
            **({"note": None} if i % 4 else {"note": f"free {i}"}),
            **({"extra": "x"} if i == 5 else {}),
        }
        for i in range(24)
    ]
    task = infer_task(objects(rows))
    assert task.kind == "extract"
    assert isinstance(task.constraint, Schema)
    schema = task.constraint.schema
    assert list(schema["properties"]) == [
        "team", "urgent", "level", "amount", "price", "name", "items", "note", "extra"
    ]  # fmt: skip
    assert schema["properties"]["team"] == {"type": "string", "enum": ["billing", "delivery"]}
    assert schema["properties"]["urgent"] == {"type": "boolean"}
    assert schema["properties"]["level"] == {"type": "integer", "enum": [0, 1, 2]}
    assert schema["properties"]["amount"] == {"type": "integer"}
    assert schema["properties"]["price"] == {"type": "number"}
    assert schema["properties"]["name"] == {"type": "string"}
    assert schema["properties"]["items"]["items"]["required"] == ["sku"]
    assert schema["properties"]["note"] == {"type": ["string", "null"]}
    assert schema["required"] == list(schema["properties"])[:-1]
    assert schema["additionalProperties"] is False


def test_a_few_broken_answers_do_not_hide_the_objects() -> None:
    rows = [json.dumps({"team": "a", "n": i}) for i in range(39)]
    assert infer_task(examples([*rows, "sorry, no JSON"])).kind == "extract"
    assert infer_task(examples([*rows[:30], *["plain"] * 10])).kind == "generate"


def test_a_given_kind_is_followed() -> None:
    assert infer_task(examples(["a", "b", "c", "d"]), "classify").constraint == Labels(("a", "b", "c", "d"))
    assert infer_task(examples(["a", "a", "b", "b"] * 9), "generate").constraint is None
    with pytest.raises(BadInput, match="No answer is a JSON object"):
        infer_task(examples(["a", "b"]), "extract")
    with pytest.raises(BadInput, match="201 different answers"):
        infer_task(examples([f"a{i}" for i in range(201)]), "classify")
    with pytest.raises(BadInput, match="no training example"):
        infer_task([])


def test_room_for_answers() -> None:
    """By words: 10 + a quarter rounded up (3) + 8. By bytes: "é" has two, and 8 for marks."""
    long = " ".join(["word"] * 10)
    assert infer_task(examples([long, "short"]), count_tokens=lambda text: len(text.split())).max_answer_tokens == 21
    assert infer_task(examples(["é" * 5, "b"])).max_answer_tokens == 18


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(["x", "y", "z"]), JSON_VALUES, max_size=3), min_size=1, max_size=12))
def test_every_value_fits_the_schema_made_of_it(values: list[dict[str, Any]]) -> None:
    schema = schema_of(values * 3, closed_set)
    validator = jsonschema.Draft202012Validator(schema)
    for value in values:
        validator.validate(value)
