"""A run's state on disk, so that a killed run goes on to the very same result.

One file, replaced in one step: there is never half a checkpoint. It holds all that the next step depends on: adapter,
optimiser, step, plan, best so far. Batches follow from seed and step, and nothing in the model is random.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from chapeta.files import write_atomic
from chapeta.tuning.recipe import Recipe
from chapeta.tuning.tokenise import TokenisedRow
from chapeta.tuning.trainer import TuneProgress

State = dict[str, torch.Tensor]


@dataclass(slots=True)
class RunState:
    """Where a run stands after `step` updates. `best_adapter` are the matrices of the best evaluation so far."""

    total_steps: int
    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    best_step: int = 0
    best_score: float | None = None
    best_loss: float | None = None
    best_adapter: State = field(default_factory=dict)
    history: list[TuneProgress] = field(default_factory=list)

    def take_if_best(self, score: float, loss: float | None, adapter: State) -> None:
        """Keeps the adapter if its score is the highest; on a tie, if its loss is lower."""
        key = (score, -(loss or 0.0))
        if self.best_score is None or key > (self.best_score, -(self.best_loss or 0.0)):
            self.best_step, self.best_score, self.best_loss, self.best_adapter = self.step, score, loss, adapter


def fingerprint(
    train: Sequence[TokenisedRow], validation: Sequence[TokenisedRow], recipe: Recipe, *settings: object
) -> str:
    """SHA-256 of everything that decides the result: a checkpoint of another fingerprint is of another run."""
    digest = sha256(json.dumps([asdict(recipe), [str(setting) for setting in settings]]).encode())
    for rows in (train, validation):
        digest.update(b"rows")
        for row in rows:
            digest.update(json.dumps([row.ids, row.weights]).encode())
    return digest.hexdigest()


def save(path: Path, run: str, state: RunState, adapter: State, optimiser: dict[str, Any]) -> None:
    """Replaces the checkpoint. Raises BadInput where the disk is full; the one before stays whole."""
    fields = {name: getattr(state, name) for name in RunState.__slots__ if name != "history"}
    history = [step.to_json() for step in state.history]
    buffer = io.BytesIO()
    torch.save({"run": run, **fields, "history": history, "adapter": adapter, "optimiser": optimiser}, buffer)
    write_atomic(path, buffer.getvalue())


def load(path: Path, run: str) -> tuple[RunState, State, dict[str, Any]] | None:
    """State, adapter and optimiser of this run's checkpoint; None if there is none, or it is of another run."""
    if not path.exists():
        return None
    try:
        data = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, ValueError, KeyError, OSError):
        return None  # not a file of ours: the run starts anew and replaces it
    if data.pop("run", None) != run:
        return None
    adapter, optimiser = data.pop("adapter"), data.pop("optimiser")
    history = [TuneProgress(**step) for step in data.pop("history")]
    return RunState(**data, history=history), adapter, optimiser
