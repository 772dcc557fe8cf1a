"""Sets of shown examples: balanced, different, repeatable; and the choice among them."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chapeta.errors import BadInput
from chapeta.skills.fields import fields_of
from chapeta.skills.rows import confusions, rows_of, thinned
from chapeta.skills.shots import choose, shot_sets
from chapeta.types import Example, Labels, Message, Schema, Task

LABELS = Task("classify", Labels(("a", "b", "c")), 4)
WORDS = ["tent", "lamp", "stove", "chair", "rope", "mug", "sail", "boat", "pump", "map", "sock", "hat"]


def asked(question: str, answer: str) -> Example:
    return Example((Message("user", question),), answer)


def made(n: int) -> tuple[Example, ...]:
    return tuple(
        asked(f"{WORDS[i % 12]} {WORDS[i * 5 % 11]} {WORDS[i * 7 % 10]} number {i}", "abc"[i % 3]) for i in range(n)
    )


@pytest.mark.parametrize("k", [3, 6, 9])
def test_sets_are_balanced_different_and_repeatable(k: int) -> None:
    train = made(120)
    sets = shot_sets(LABELS, train, k, 5, seed=1)
    assert sets == shot_sets(LABELS, train, k, 5, seed=1)
    assert len({frozenset(shot.id for shot in shots) for shots in sets}) == 5
    for shots in sets:
        assert Counter(shot.answer for shot in shots) == {"a": k // 3, "b": k // 3, "c": k // 3}
        assert set(shots) <= set(train)
        assert len(set(shots)) == k


def test_every_field_of_an_object_is_balanced() -> None:
    properties = {"x": {"enum": ["p", "q"]}, "y": {"enum": ["r", "s"]}}
    task = Task("extract", Schema({"type": "object", "properties": properties}), 20)
    train = [
        asked(f"{WORDS[i % 12]} {WORDS[i * 5 % 11]} {i}", json.dumps({"x": "pq"[i % 8 == 0], "y": "rs"[i % 6 == 0]}))
        for i in range(96)
    ]
    for shots in shot_sets(task, train, 4, 3, seed=0):
        answers = [json.loads(shot.answer) for shot in shots]
        assert Counter(answer["x"] for answer in answers) == {"p": 2, "q": 2}
        assert Counter(answer["y"] for answer in answers) == {"r": 2, "s": 2}


def test_long_examples_and_copies_are_avoided() -> None:
    train = [*made(30), *(asked("tent lamp stove " * 60 + str(i), "abc"[i % 3]) for i in range(30))]
    train += [asked("same words here", "a") for _ in range(20)]
    (best,) = shot_sets(LABELS, train, 6, 1, seed=0)
    assert max(len(shot.question) for shot in best) < 100
    assert sum(shot.question == "same words here" for shot in best) <= 1


def test_small_data_gives_what_there_is() -> None:
    assert shot_sets(LABELS, made(2), 5, 3, seed=0)[0] in (made(2), made(2)[::-1])
    assert shot_sets(LABELS, made(9), 0, 3, seed=0) == ((),)
    assert shot_sets(LABELS, [], 4, 2, seed=0) == ((),)
    with pytest.raises(BadInput, match="0 sets"):
        shot_sets(LABELS, made(3), 2, 0, seed=0)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 30), st.integers(0, 8), st.integers(1, 4), st.integers(0, 99))
def test_any_size(n: int, k: int, n_sets: int, seed: int) -> None:
    train = made(n)
    sets = shot_sets(LABELS, train, k, n_sets, seed)
    assert 1 <= len(sets) <= n_sets
    assert len(sets[0]) == min(k, n)
    assert all(len(shots) <= k and len(set(shots)) == len(shots) and set(shots) <= set(train) for shots in sets)


def test_choose_takes_the_best_and_of_equal_ones_the_shorter() -> None:
    short, long, worse = (asked("hi", "a"),), (asked("hi there", "a"),), (asked("h", "a"),)
    scores = {short: 0.9, long: 0.9, worse: 0.5}
    assert choose([worse, long, short], scores.__getitem__) == short
    assert choose([long, worse], scores.__getitem__) == long
    with pytest.raises(BadInput, match="no set"):
        choose([], scores.__getitem__)


def test_thinning_keeps_rare_labels() -> None:
    train = [*made(90), asked("the rare one", "rare")]
    rows = rows_of(Task("classify", Labels(("a", "b", "c", "rare")), 4), train)
    few = thinned(rows, 8, seed=3)
    assert Counter(row.example.answer for row in few) == {"a": 3, "b": 2, "c": 2, "rare": 1} or (
        len(few) == 8 and "rare" in {row.example.answer for row in few}
    )


def test_the_worst_confusion_comes_first_with_its_most_alike_messages() -> None:
    task = Task("classify", Labels(("card", "cash", "app")), 4)
    train = [asked(f"why was I charged a fee for the card in {town}", "card") for town in WORDS[:6]]
    train += [asked(f"why was I charged a fee for the cash in {town}", "cash") for town in WORDS[:6]]
    train += [asked(f"{word} screen stays blank after start", "app") for word in WORDS[:6]]
    first, *_ = confusions(rows_of(task, train), fields_of(task), fields_of(task), 3)
    assert (first.first, first.second) == ("card", "cash")
    town = first.first_row.example.question.split()[-1]
    assert first.second_row.example.question.endswith(town)
    assert first.count == 12
