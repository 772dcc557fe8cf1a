"""Closed answers (labels, JSON whose every field has a list of values) without a grammar.

A grammar checks the whole vocabulary at every token, and forces the model through every brace and key. Here the possible
answers are laid out as token sequences: where they agree the tokens are appended unasked, and the model is asked only
where they part, among the tokens that may follow. The result is the greedy answer among the allowed ones, in the tokens
that the tokeniser itself would give; for {"team": …, "urgency": …} that is about four questions instead of thirty.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chapeta.types import Constraint, Json, Labels

Tokens = tuple[int, ...]
Tokenise = Callable[[str], Tokens]
Choose = Callable[[Tokens, Sequence[int]], int]


@dataclass(frozen=True, slots=True)
class Field:
    """Text that is certain, then one of several values."""

    literal: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Closed:
    """A closed answer: fields in order, then `tail`."""

    fields: tuple[Field, ...]
    tail: str


def closed_form(constraint: Constraint | None) -> Closed | None:
    """The constraint as a sequence of choices, or None if some part of the answer is open."""
    if constraint is None:
        return None
    if isinstance(constraint, Labels):
        return Closed((Field("", constraint.values),), "")
    schema = constraint.schema
    properties: Json = schema.get("properties", {})
    if schema.get("type") != "object" or not properties or set(schema.get("required", ())) != set(properties):
        return None
    fields = []
    for place, (name, rule) in enumerate(properties.items()):
        values = _values(rule)
        if not values:
            return None
        fields.append(Field(("{" if place == 0 else ",") + json.dumps(name, ensure_ascii=False) + ":", values))
    return Closed(tuple(fields), "}")


def decode(closed: Closed, tokenise: Tokenise, end_of_turn: int, choose: Choose) -> tuple[str, Tokens]:
    """The greedy answer and its tokens, the end of turn included.

    tokenise: tokens of an answer's text from its start. choose: given the answer's tokens so far and the allowed next
    ones, the one the model likes best.
    """
    text = ""
    tokens: Tokens = ()
    for place, field in enumerate(closed.fields):
        last = place + 1 == len(closed.fields)
        after = closed.tail if last else closed.fields[place + 1].literal
        end = (end_of_turn,) if last else ()
        options = {
            text + field.literal + value: tokenise(text + field.literal + value + after) + end for value in field.values
        }
        text = _walk(options, choose)
        tokens = options[text]
    return text + closed.tail, tokens


def _walk(options: dict[str, Tokens], choose: Choose) -> str:
    """Narrows the options down to one, asking only at the positions where they part."""
    depth = 0
    while len(options) > 1:
        allowed = sorted({tokens[depth] for tokens in options.values() if len(tokens) > depth})
        if len(allowed) > 1:
            prefix = next(iter(options.values()))[:depth]
            chosen = choose(prefix, allowed)
            options = {
                text: tokens for text, tokens in options.items() if len(tokens) > depth and tokens[depth] == chosen
            }
        depth += 1
        if all(len(tokens) <= depth for tokens in options.values()):
            break
    return next(iter(options))


def _values(rule: Json) -> tuple[str, ...]:
    """The JSON texts that a property's rule allows, or () if it is open."""
    if "const" in rule:
        return (_compact(rule["const"]),)
    if "enum" in rule:
        return tuple(_compact(value) for value in rule["enum"])
    return ("true", "false") if rule.get("type") == "boolean" else ()


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
