"""Scores JSON answers: the whole object, each top-level field, and whether the answer fits the schema.

Values are compared as JSON, not as text: the order of keys and 1 against 1.0 make no difference, true and 1 do.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jsonschema.exceptions import SchemaError
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for

from chapeta.bench.results import Estimate
from chapeta.bench.scorers.rows import F1_SEED, RowScores, answered, choose
from chapeta.bench.statistics import f1
from chapeta.errors import BadInput
from chapeta.types import Answer, Example, Schema, Task

ABSENT = object()  # a field that is not there; equal to nothing but itself
UNREADABLE = object()  # an answer that is not JSON; no field of it is right, not even one that should be absent


@dataclass(frozen=True, slots=True)
class ObjectScorer:
    """`metric` is one of exact_object, mean_field_accuracy and schema_valid; all three are always computed.

    accuracy[FIELD]: the field's value is the expected one, or is absent as expected.
    f1[FIELD]:       F1 of finding the value: null and absent count as no value, a wrong value as missed and false.
    """

    metric: str = "exact_object"

    def score(self, examples: Sequence[Example], answers: Sequence[Answer], task: Task) -> RowScores:
        expected = [parse(example.answer) for example in examples]
        given = [parse(answered(answer)) for answer in answers]
        pairs = list(zip(expected, given, strict=True))
        validator = _validator(task)
        rows = {
            "exact_object": [float(same_json(want, got)) for want, got in pairs],
            "mean_field_accuracy": [_field_share(want, got) for want, got in pairs],
            "schema_valid": [float(_fits(got, validator)) for got in given],
        }
        estimates: dict[str, Estimate] = {}
        for name in _field_names(expected, task):
            values = [(_field(want, name), _field(got, name)) for want, got in pairs]
            rows[f"accuracy[{name}]"] = [float(same_json(want, got)) for want, got in values]
            estimates[f"f1[{name}]"] = _field_f1(values)
        return choose(self.metric, rows, estimates)


def parse(text: str) -> Any:
    """The JSON value of a text, UNREADABLE where it is none. NaN and Infinity are not JSON."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return UNREADABLE


def same_json(first: Any, second: Any) -> bool:
    """Equal as JSON. Unlike Python's ==, true is not 1; an unreadable value is equal to nothing."""
    if first is UNREADABLE or second is UNREADABLE:
        return False
    if isinstance(first, bool) or isinstance(second, bool):
        return first is second
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(same_json(value, second[key]) for key, value in first.items())
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(same_json, first, second))
    return bool(first == second)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _field(value: Any, name: str) -> Any:
    return value.get(name, ABSENT) if isinstance(value, dict) else UNREADABLE


def _field_share(want: Any, got: Any) -> float:
    """Share of the fields, expected or invented, whose value is the expected one."""
    if not isinstance(want, dict) or not isinstance(got, dict):
        return float(same_json(want, got))
    names = want.keys() | got.keys()
    if not names:
        return 1.0
    return sum(same_json(_field(want, name), _field(got, name)) for name in names) / len(names)


def _field_names(expected: Sequence[Any], task: Task) -> tuple[str, ...]:
    """Fields that the expected answers have, in the order of the schema, then of appearance."""
    seen = dict.fromkeys(name for value in expected if isinstance(value, dict) for name in value)
    stated = task.constraint.schema.get("properties", {}) if isinstance(task.constraint, Schema) else {}
    return (*(name for name in stated if name in seen), *(name for name in seen if name not in stated))


def _field_f1(values: Sequence[tuple[Any, Any]]) -> Estimate:
    nothing = (ABSENT, UNREADABLE, None)
    wanted = np.array([[float(not any(want is none for none in nothing))] for want, _ in values])
    found = np.array([[float(not any(got is none for none in nothing))] for _, got in values])
    same = np.array([[float(same_json(want, got))] for want, got in values])
    return f1(same * wanted * found, wanted, found, F1_SEED)


def _validator(task: Task) -> Validator | None:
    if not isinstance(task.constraint, Schema):
        return None
    schema = task.constraint.schema
    kind = validator_for(schema)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        remedy = "Correct the schema, or leave it out to have it inferred."
        raise BadInput(f"The task's JSON schema is not valid: {error.message}.", remedy) from error
    return kind(schema)


def _fits(got: Any, validator: Validator | None) -> bool:
    """Fits the schema; without a schema: is a JSON object."""
    if got is UNREADABLE:
        return False
    return isinstance(got, dict) if validator is None else bool(validator.is_valid(got))
