"""Closed answers: which constraints are closed, and which answer the walk finds for a given taste of the model."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from chapeta.engine.closed import closed_form, decode
from chapeta.types import Labels, Schema

END = 0


def letters(text: str) -> tuple[int, ...]:
    """A tokeniser of one token a character, never the end of turn."""
    return tuple(ord(character) for character in text)


def test_labels_and_objects_of_values_are_closed() -> None:
    assert closed_form(Labels(("a", "b"))) is not None
    properties = {"team": {"enum": ["x", "y"]}, "urgent": {"type": "boolean"}, "kind": {"const": 3}}
    schema = {"type": "object", "properties": properties, "required": ["team", "urgent", "kind"]}
    closed = closed_form(Schema(schema))
    assert closed is not None
    assert [field.values for field in closed.fields] == [('"x"', '"y"'), ("true", "false"), ("3",)]


def test_open_parts_are_left_to_the_grammar() -> None:
    free = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    optional = {"type": "object", "properties": {"team": {"enum": ["x"]}}, "required": []}
    assert closed_form(Schema(free)) is None
    assert closed_form(Schema(optional)) is None
    assert closed_form(None) is None


def test_the_model_is_asked_only_where_answers_part() -> None:
    asked: list[tuple[int, ...]] = []

    def choose(so_far: tuple[int, ...], allowed: Sequence[int]) -> int:
        asked.append(tuple(allowed))
        return max(allowed)

    closed = closed_form(Labels(("card lost", "card stolen", "top up")))
    assert closed is not None
    text, tokens = decode(closed, letters, END, choose)
    assert text == "top up"
    assert asked == [(ord("c"), ord("t"))]
    assert tokens == (*letters("top up"), END)


def test_a_label_that_begins_another_can_win() -> None:
    closed = closed_form(Labels(("maybe", "maybe so")))
    assert closed is not None
    short, _ = decode(closed, letters, END, lambda _, allowed: min(allowed))
    long, _ = decode(closed, letters, END, lambda _, allowed: max(allowed))
    assert (short, long) == ("maybe", "maybe so")


def test_fields_are_chosen_in_order_and_the_object_is_compact() -> None:
    properties = {"team": {"enum": ["billing", "returns"]}, "urgent": {"type": "boolean"}}
    closed = closed_form(Schema({"type": "object", "properties": properties, "required": ["team", "urgent"]}))
    assert closed is not None
    text, _ = decode(closed, letters, END, lambda _, allowed: max(allowed))
    assert text == '{"team":"returns","urgent":true}'


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=12, unique=True), st.data())
def test_the_answer_is_always_one_of_the_labels(labels: list[str], data: st.DataObject) -> None:
    closed = closed_form(Labels(tuple(labels)))
    assert closed is not None

    def choose(_: tuple[int, ...], allowed: Sequence[int]) -> int:
        return data.draw(st.sampled_from(list(allowed)))

    text, tokens = decode(closed, lambda text: tuple(1 + ord(c) for c in text), END, choose)
    assert text in labels
    assert tokens == (*(1 + ord(c) for c in text), END)
