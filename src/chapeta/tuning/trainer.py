"""The seam between what wants a tuned model and who trains it: here, at a provider, on a cluster. No torch here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from chapeta.tuning.recipe import Recipe
from chapeta.types import Example, Json


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """An example as the tuned model will meet it. `system`: the instructions it will be served with ("" for none)."""

    system: str
    example: Example


@dataclass(frozen=True, slots=True)
class TuneProgress:
    """One step of a run. validation_score: the task score, None where this step was not evaluated."""

    step: int
    total_steps: int
    epoch: float
    loss: float
    learning_rate: float
    tokens_per_s: float
    seconds_left: float
    validation_score: float | None = None
    validation_loss: float | None = None

    def to_json(self) -> Json:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class TuneResult:
    """A finished run.

    adapter_peft:   folder with adapter_config.json and adapter_model.safetensors; adapter_gguf: what the engine serves.
    seconds:        training alone (evaluations included, loading not), over all resumed parts.
    tokens:         tokens read in training, padding not counted.
    peak_rss_bytes: the process's highest memory use, 0 where the system does not say.
    chosen_step:    the step whose weights were kept. chosen_score, chosen_loss: its validation figures.
    planned_epochs: the recipe's epochs, or fewer where the time limit asked for it.
    dropped_rows:   training rows longer than the recipe's max_tokens.
    """

    adapter_gguf: Path
    adapter_peft: Path
    steps: int
    seconds: float
    tokens: int
    tokens_per_s: float
    peak_rss_bytes: int
    chosen_step: int
    chosen_score: float | None
    chosen_loss: float | None
    planned_epochs: float
    dropped_rows: int
    history: tuple[TuneProgress, ...]


Evaluate = Callable[[Path], float]
OnProgress = Callable[[TuneProgress], None]


class Trainer(Protocol):
    """Whoever can tune. Blocks until done; run again after a kill with the same arguments, it goes on."""

    def __call__(
        self,
        model_path: Path,
        train: Sequence[TrainingRow],
        validation: Sequence[TrainingRow],
        recipe: Recipe,
        out_dir: Path,
        seed: int,
        progress: OnProgress | None = None,
        time_limit_s: float | None = None,
        evaluate: Evaluate | None = None,
    ) -> TuneResult: ...
