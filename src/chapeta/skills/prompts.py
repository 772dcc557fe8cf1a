"""The plain prompt of the candidate `base`, and the one line that a tuned model gets as system prompt."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence

from chapeta.skills.fields import Field, fields_of, is_nested
from chapeta.types import Example, Labels, Schema, Task

MAX_NAMED_BYTES = 40


def instruction(task: Task, train: Sequence[Example]) -> str:
    """Names the task and the answers that are allowed; only the usual length is learned from the examples."""
    if isinstance(task.constraint, Labels):
        return _label_prompt(task.constraint.values)
    fields = fields_of(task)
    if isinstance(task.constraint, Schema):
        return _object_prompt(task.constraint, fields)
    return f"Answer the message. {_usual_length(train)}".strip()


def short_instruction(task: Task) -> str:
    """One line of at most about 20 tokens; the same in training and in use, so that the tuned model knows its cue."""
    if isinstance(task.constraint, Labels):
        return "Answer with one label."
    if isinstance(task.constraint, Schema):
        keys = list(dict.fromkeys(field.path[0] for field in fields_of(task)))
        named = ", ".join(keys)
        if not keys or len(named.encode()) > MAX_NAMED_BYTES:
            return "Answer with a JSON object."
        return f"Answer with a JSON object: {named}."
    return "Answer the message."


def one_of(values: Sequence[str]) -> str:
    """Values as an enumeration in a sentence: `a, b or c`; unusual ones (with a comma or a line break) in quotes."""
    plain = [json.dumps(value, ensure_ascii=False) if not _is_plain(value) else value for value in values]
    return plain[0] if len(plain) == 1 else f"{', '.join(plain[:-1])} or {plain[-1]}"


def field_line(field: Field) -> str:
    """What may stand in a field, in a few words."""
    if field.kind == "list":
        return f"a list of any of: {', '.join(field.values)}" if field.closed else "a list"
    if field.closed:
        return ("one of " if len(field.values) > 1 else "always ") + one_of(field.values)
    return {"text": "text", "number": "a number"}.get(field.kind, "a value")


def _label_prompt(values: Sequence[str]) -> str:
    return (
        "Read the message and choose the one label that fits it best. "
        f"Answer with the label alone, exactly as written here: {one_of(values)}."
    )


def _object_prompt(constraint: Schema, fields: tuple[Field, ...]) -> str:
    start = "Read the message and answer with one JSON object and nothing else."
    if not fields or is_nested(fields):
        schema = json.dumps(constraint.schema, ensure_ascii=False, separators=(",", ":"))
        return f"{start} It must fit this JSON schema:\n{schema}"
    lines = [f"- {field.name}: {field_line(field)}" for field in fields]
    return "\n".join([f"{start} Its keys, in this order:", *lines])


def _usual_length(train: Sequence[Example]) -> str:
    """Tells the usual length, rounded so that the prompt does not change with every row."""
    if not train:
        return ""
    words = statistics.median(len(example.answer.split()) for example in train)
    rounded = round(words) if words < 10 else round(words / 5) * 5
    return f"Use about {max(1, rounded)} word{'s' if rounded > 1 else ''}."


def _is_plain(value: str) -> bool:
    return bool(value.strip()) and value == value.strip() and not any(c in value for c in ',\n\r"')
