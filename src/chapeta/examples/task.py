"""What the examples ask for: one of a few labels, a JSON object of known shape, or free text.

One rule says when values are a closed set, for labels and for the fields of an object alike: at most 200 values, each
short, each seen three times on average, and hardly any seen once only. The share of rows whose value occurs once
estimates the chance that the next row brings a value never seen (Good 1953), so it may be 5 % at most.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chapeta.errors import BadInput
from chapeta.examples.schema import is_object, schema_of
from chapeta.types import Constraint, Example, Json, Labels, Schema, Task, TaskKind

MOST_VALUES = 200
LONGEST_VALUE = 100
ROWS_A_VALUE = 3
UNSEEN_SHARE = 0.05
OBJECT_SHARE = 0.95
COUNTED_ANSWERS = 500
MARGIN_TOKENS = 8


def infer_task(
    examples: Sequence[Example], kind: TaskKind | None = None, count_tokens: Callable[[str], int] | None = None
) -> Task:
    """The task of training examples, or the given kind with its constraint. Never pass held-out rows."""
    if not examples:
        raise BadInput("There is no training example.", "Add examples, or check the columns.")
    answers = Counter(example.answer for example in examples)
    found = kind or kind_of(answers)
    return Task(found, _constraint(found, answers), answer_room(answers, count_tokens))


def kind_of(answers: Mapping[str, int]) -> TaskKind:
    """The kind of task that these answers (with their counts) speak for."""
    total = sum(answers.values())
    objects = {text: value for text in answers if (value := parsed_object(text)) is not None}
    if sum(answers[text] for text in objects) >= OBJECT_SHARE * total:
        keys = Counter(key for text, value in objects.items() for key in value for _ in range(answers[text]))
        if keys and max(keys.values()) >= OBJECT_SHARE * total:
            return "extract"
    return "classify" if closed_set(answers) else "generate"


def closed_set(counts: Mapping[str, int]) -> bool:
    """Whether values with these counts are all the values there are."""
    total = sum(counts.values())
    once = sum(1 for count in counts.values() if count == 1)
    return (
        0 < len(counts) <= MOST_VALUES
        and total >= ROWS_A_VALUE * len(counts)
        and once <= max(1, UNSEEN_SHARE * total)
        and all(len(value) <= LONGEST_VALUE and "\n" not in value for value in counts)
    )


def answer_room(answers: Mapping[str, int], count_tokens: Callable[[str], int] | None) -> int:
    """Tokens for the longest answer, a quarter more, and 8 for marks. Without a tokenizer a byte counts as a token,
    which none exceeds. Only the 500 answers with most bytes are counted."""
    longest = sorted(answers, key=lambda answer: (-len(answer.encode()), answer))[:COUNTED_ANSWERS]
    tokens = max((count_tokens(answer) if count_tokens else len(answer.encode())) for answer in longest)
    return tokens + (-(-tokens // 4) if count_tokens else 0) + MARGIN_TOKENS


def parsed_object(text: str) -> Json | None:
    """The JSON object that the text is, else None."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if is_object(value) else None


def _constraint(kind: TaskKind, answers: Mapping[str, int]) -> Constraint | None:
    if kind == "generate":
        return None
    if kind == "classify":
        if len(answers) > MOST_VALUES:
            remedy = f"At most {MOST_VALUES} are handled; choose --task generate."
            raise BadInput(f"{len(answers):,} different answers are too many for labels.", remedy)
        return Labels(tuple(sorted(answers)))
    objects = [value for text, count in answers.items() if (value := parsed_object(text)) for _ in range(count)]
    if not objects:
        raise BadInput("No answer is a JSON object.", "Choose --task generate or classify, or write answers as JSON.")
    return Schema(schema_of(objects, closed_set))
