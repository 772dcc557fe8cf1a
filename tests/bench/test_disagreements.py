"""The choice of rows that teach most, on small tables where the right order can be seen."""

from __future__ import annotations

from chapeta.bench.disagreements import instructive_disagreements
from chapeta.types import Example, Message


def rows(*expected: str) -> list[Example]:
    return [Example((Message("user", f"question {i}"),), answer) for i, answer in enumerate(expected)]


def answers(scores: dict[str, list[float]]) -> dict[str, list[str]]:
    return {name: [f"{name} says {i}" for i in range(len(values))] for name, values in scores.items()}


def picked(examples: list[Example], scores: dict[str, list[float]], chosen: str = "", limit: int = 10) -> list[int]:
    found = instructive_disagreements(examples, answers(scores), scores, chosen, limit)
    return [int(row.question.split()[1]) for row in found]


def test_rows_on_which_all_agree_are_left_out() -> None:
    scores = {"a": [1.0, 0.0, 1.0], "b": [1.0, 0.0, 0.0]}
    assert picked(rows("x", "x", "x"), scores) == [2]


def test_rows_that_part_the_choice_from_its_best_alternative_come_first() -> None:
    # Means: good 3/4, other 2/4, bad 0/4. The choice "good" and the alternative "other" part only on rows 2 and 3.
    scores = {"bad": [0.0, 0.0, 0.0, 0.0], "other": [1.0, 1.0, 0.0, 0.0], "good": [1.0, 1.0, 1.0, 0.0]}
    assert picked(rows("x", "x", "x", "x"), scores, "good") == [2, 0, 1]


def test_wins_and_losses_of_the_choice_take_turns() -> None:
    scores = {"chosen": [1.0, 1.0, 1.0, 0.0, 0.0], "other": [0.0, 0.0, 0.0, 1.0, 1.0]}
    assert picked(rows("x", "x", "x", "x", "x"), scores, "chosen") == [0, 3, 1, 4, 2]


def test_expected_answers_vary_before_they_repeat() -> None:
    scores = {"chosen": [1.0] * 5, "other": [0.0] * 5}
    assert picked(rows("x", "x", "x", "y", "z"), scores, "chosen", limit=3) == [0, 3, 4]


def test_wider_gaps_come_first_where_scores_are_graded() -> None:
    scores = {"chosen": [0.9, 0.8, 0.7], "other": [0.8, 0.1, 0.5]}
    assert picked(rows("p", "q", "r"), scores, "chosen") == [1, 2, 0]


def test_each_row_carries_every_answer_and_score_in_the_order_of_the_bench() -> None:
    examples = rows("x")
    (row,) = instructive_disagreements(examples, {"a": ["x"], "b": ["y"]}, {"a": [1.0], "b": [0.0]}, "b")
    assert (row.row_id, row.question, row.expected) == (examples[0].id, "question 0", "x")
    assert [(a.candidate, a.text, a.score) for a in row.answers] == [("a", "x", 1.0), ("b", "y", 0.0)]


def test_no_more_than_the_limit_and_nothing_to_say_about_one_candidate() -> None:
    scores = {"a": [1.0] * 30, "b": [0.0] * 30}
    assert len(picked(rows(*"x" * 30), scores, limit=10)) == 10
    assert picked(rows("x"), {"a": [1.0]}) == []
