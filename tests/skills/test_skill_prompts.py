"""The plain prompt and the one-line prompt of tuned models."""

from __future__ import annotations

from chapeta.skills.prompts import instruction, short_instruction
from chapeta.types import Constraint, Example, Json, Labels, Message, Schema, Task


def task(constraint: Constraint | None) -> Task:
    kind = "classify" if isinstance(constraint, Labels) else "extract" if constraint else "generate"
    return Task(kind, constraint, 32)  # type: ignore[arg-type]


def answered(text: str) -> Example:
    return Example((Message("user", "Hello?"),), text)


def an_object(**properties: Json) -> Schema:
    return Schema({"type": "object", "properties": properties, "required": list(properties)})


FLAT = an_object(
    team={"enum": ["sales", "billing"]},
    urgent={"type": "boolean"},
    name={"type": "string"},
    count={"type": ["integer", "null"]},
    tags={"type": "array", "items": {"enum": ["a", "b"]}},
)


def test_labels_are_named_once_and_in_order() -> None:
    prompt = instruction(task(Labels(("no", "yes", "a, b"))), [])
    assert prompt.endswith('exactly as written here: no, yes or "a, b".')
    assert short_instruction(task(Labels(("no", "yes")))) == "Answer with one label."


def test_a_flat_object_is_told_in_lines() -> None:
    assert instruction(task(FLAT), []).split("\n")[1:] == [
        "- team: one of sales or billing",
        "- urgent: one of true or false",
        "- name: text",
        "- count: a number",
        "- tags: a list of any of: a, b",
    ]
    assert short_instruction(task(FLAT)) == "Answer with a JSON object: team, urgent, name, count, tags."


def test_a_nested_object_is_told_by_its_schema() -> None:
    nested = an_object(customer={"type": "object", "properties": {"name": {"type": "string"}}})
    assert '"customer":{"type":"object"' in instruction(task(nested), [])
    assert short_instruction(task(nested)) == "Answer with a JSON object: customer."


def test_many_keys_are_not_named_in_the_short_prompt() -> None:
    wide = an_object(**{f"a_rather_long_key_{i}": {"type": "string"} for i in range(9)})
    assert short_instruction(task(wide)) == "Answer with a JSON object."


def test_free_text_tells_the_usual_length() -> None:
    answers = [answered("one two three"), answered("one two three four"), answered("one two three")]
    assert instruction(task(None), answers) == "Answer the message. Use about 3 words."
    assert instruction(task(None), [answered("word " * 48)]) == "Answer the message. Use about 50 words."
    assert instruction(task(None), []) == "Answer the message."
    assert short_instruction(task(None)) == "Answer the message."
