"""Replay rows are added, drawn once each, by the seed."""

from __future__ import annotations

from chapeta.tuning.replay import mix_replay, replay_row
from chapeta.tuning.trainer import TrainingRow
from chapeta.types import Example, Message

TASK = [TrainingRow("Sort.", Example((Message("user", f"question {number}"),), "label")) for number in range(5)]
GENERAL = [replay_row((Message("user", f"fact {number}?"),), f"answer {number}") for number in range(4)]


def test_the_task_rows_stay_and_some_general_ones_follow() -> None:
    mixed = mix_replay(TASK, GENERAL, 3, seed=0)
    assert mixed[:5] == tuple(TASK)
    assert len({row.example.id for row in mixed[5:]}) == 3
    assert all(row in GENERAL and row.system == "" for row in mixed[5:])
    assert mixed == mix_replay(TASK, GENERAL, 3, seed=0)


def test_no_more_than_there_are() -> None:
    assert len(mix_replay(TASK, GENERAL, 100, seed=0)) == 9
    assert mix_replay(TASK, GENERAL, 0, seed=0) == tuple(TASK)
