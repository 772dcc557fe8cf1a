"""What TRL and LLaMA-Factory share: both train by transformers' loop, which tells of each step."""

from __future__ import annotations

from typing import Any

from steps import Steps
from transformers import TrainerCallback


class Noting(TrainerCallback):
    """Ends the training when the time is up. `tokens` is what the step under way has read."""

    def __init__(self, steps: Steps) -> None:
        self.steps, self.tokens = steps, 0

    def on_step_end(self, _arguments: Any, _state: Any, control: Any, **_: Any) -> None:
        if self.steps.done(self.tokens):
            control.should_training_stop = True
        self.tokens = 0
