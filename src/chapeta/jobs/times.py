"""How long each candidate of a run will take on this machine, from the rows' tokens and the machine's speed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean

from chapeta.engine import weights
from chapeta.examples.split import Splits
from chapeta.jobs.speed import Speed
from chapeta.skills.prompts import short_instruction
from chapeta.stages.candidates import CHOOSING_ROWS, NEAREST, SHOT_SETS
from chapeta.stages.run import MOST_GENERAL_ITEMS, Settings
from chapeta.tuning.recipe import DataShape, choose_recipe, choose_replay_rows
from chapeta.tuning.shape import model_shape
from chapeta.types import Task

REPLAY_TOKENS = 96
GENERAL_TOKENS = (60, 24)  # in and out, an item of the general suite
DIVERGENCE_ITEMS = 48
TUNING_START_S = 10.0  # torch, the weights, and the adapter written as the engine reads it
SAMPLE_ROWS = 64
MARKS = 12  # tokens around the turns of a row


@dataclass(frozen=True, slots=True)
class RowTokens:
    """Mean tokens of a row: its question and its answer; and of the instruction that a tuned model is served with."""

    question: float
    answer: float
    instruction: float

    @property
    def shown(self) -> float:
        """A row that is shown as an example."""
        return self.question + self.answer + MARKS

    @property
    def trained(self) -> float:
        """A row as it is trained on."""
        return self.shown + self.instruction


def tokens_of(splits: Splits, task: Task, count: Callable[[str], int]) -> RowTokens:
    """Counted in a sample of the training rows."""
    rows = splits.train[:: max(1, len(splits.train) // SAMPLE_ROWS)][:SAMPLE_ROWS]
    asked = fmean(sum(count(message.content) for message in row.messages) for row in rows)
    return RowTokens(asked, fmean(count(row.answer) for row in rows), count(short_instruction(task)))


def answering_seconds(name: str, settings: Settings, splits: Splits, rows: RowTokens, speed: Speed) -> float:
    """Instructions and fixed examples stay in the engine's cache: of most candidates only the question is read anew."""
    asked = len(splits.test)
    if name == "few-shot" and settings.limit_minutes is None:
        asked += SHOT_SETS * min(CHOOSING_ROWS, len(splits.validation))
    shown = NEAREST * rows.shown if name == "nearest" else 0.0
    return speed.seconds(asked * (shown + rows.question + MARKS), asked * rows.answer)


def tuning_seconds(model: str, settings: Settings, splits: Splits, rows: RowTokens, speed: Speed) -> float:
    """Replay rows answered, the training itself with its validations, the general suite twice, how far both differ."""
    limited = settings.limit_minutes is not None
    replay = settings.replay_rows
    if replay is None:
        replay = choose_replay_rows(len(splits.train), settings.tuning_limit_s)[0]
    trained = len(splits.train) + replay
    shape = DataShape(trained, int(rows.trained), int(trained * rows.answer))
    given = {**settings.recipe, "max_tokens": settings.recipe.get("max_tokens", 512)}
    recipe = choose_recipe(shape, model_shape(weights.ensure(model)), given, limited).recipe
    tokens = recipe.epochs * (len(splits.train) * rows.trained + replay * REPLAY_TOKENS)
    checked = recipe.epochs * min(len(splits.validation), recipe.validation_rows) * rows.trained / 2  # forward only
    items = settings.general_items or (MOST_GENERAL_ITEMS // 3 if limited else MOST_GENERAL_ITEMS)
    general = speed.seconds(2 * items * GENERAL_TOKENS[0], 2 * items * GENERAL_TOKENS[1])
    compared = min(items, DIVERGENCE_ITEMS) * sum(GENERAL_TOKENS)  # forward only, but by both models
    replaying = speed.seconds(0, replay * REPLAY_TOKENS)
    return TUNING_START_S + replaying + (tokens + checked + compared) / speed.training + general
