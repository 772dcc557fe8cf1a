"""What the user has chosen for a run, as its settings; and times as people say them."""

from __future__ import annotations

from dataclasses import dataclass, field

from chapeta import config
from chapeta.errors import BadInput
from chapeta.examples.columns import Columns
from chapeta.stages.run import CANDIDATES, Settings

ABOUT = {
    "base": "the model with a plain prompt",
    "few-shot": "some examples shown before each question",
    "nearest": "the most similar examples shown before each question",
    "skill": "instructions written from the examples",
    "tuned": "a fine-tuned model",
    "tuned+skill": "a fine-tuned model with instructions",
}


@dataclass(slots=True)
class Choice:
    """source: a file's path, "" before there is one. Column names are "" where they are to be recognised."""

    source: str = ""
    name: str = ""
    model: str = config.DEFAULT_MODEL
    candidates: set[str] = field(default_factory=lambda: set(CANDIDATES))
    minutes: float | None = None
    budget_usd: float | None = None
    question: str = ""
    answer: str = ""

    def settings(self) -> Settings:
        """Raises BadInput for what cannot be a run's settings."""
        return self._settings(tuple(one for one in CANDIDATES if one in self.candidates))

    def everything(self) -> Settings:
        """The same with all candidates, to read and weigh them before any is chosen."""
        return self._settings(CANDIDATES)

    def _settings(self, candidates: tuple[str, ...]) -> Settings:
        if not candidates:
            raise BadInput("No candidate is chosen.", "Choose at least one; the base shows where you start from.")
        columns = Columns(self.question.strip() or None, self.answer.strip() or None)
        model = self.model.strip() or config.DEFAULT_MODEL
        return Settings(
            self.source, self.name.strip(), (model,), candidates, columns=columns, limit_minutes=self.minutes,
            budget_usd=self.budget_usd,
        )  # fmt: skip


def duration(seconds: float) -> str:
    """A time as people say it: 40 s, 7 min, 1.5 h."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def between(least_s: float, most_s: float) -> str:
    """A range of times; one figure where both ends read the same."""
    least, most = duration(least_s), duration(most_s)
    if least == most:
        return f"about {least}"
    first, unit = least.split(" ")
    return f"{first} to {most}" if most.endswith(f" {unit}") else f"{least} to {most}"
