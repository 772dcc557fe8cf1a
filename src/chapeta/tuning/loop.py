"""The training loop, flat: batch, loss on answer tokens, gradient, step; now and then a score and a checkpoint.

What makes it fast on a processor: rows packed without padding, their common beginning computed once (`packing.py`),
layers below the lowest adapter computed once (`frozen.py`), logits only where a token is taught, no gradient for frozen
weights. The loss of a batch is the weighted mean over its taught tokens, however it is cut up.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from torch.utils.checkpoint import checkpoint as recompute

from chapeta.errors import ModelFailed
from chapeta.tuning import checkpoint, lora
from chapeta.tuning.batches import epoch_batches, head_logits, token_budget_batches
from chapeta.tuning.checkpoint import RunState, State
from chapeta.tuning.frozen import FrozenBelow, forward
from chapeta.tuning.load import LoadedModel
from chapeta.tuning.recipe import Recipe
from chapeta.tuning.tokenise import TokenisedRow
from chapeta.tuning.trainer import OnProgress, TuneProgress
from chapeta.tuning.validate import validate

PLACES_AT_ONCE = 512  # of vocabulary-wide logits in the loss; more are cut up and computed again going backward
ROWS_AHEAD = 32  # small batches are computed together below the adapters: products of few rows are slow
Score = Callable[[State], float]


@dataclass(frozen=True, slots=True)
class Run:
    """What one run is made of.

    frozen: the model cut at its lowest adapter, where some layers have none; frozen_held_out: the same for the validation
    rows. score: the caller's task score of an adapter, instead of our exact match.
    """

    loaded: LoadedModel
    adapter: lora.Adapter
    train: Sequence[TokenisedRow]
    validation: Sequence[TokenisedRow]
    recipe: Recipe
    seed: int
    fingerprint: str
    folder: Path
    frozen: FrozenBelow | None = None
    frozen_held_out: FrozenBelow | None = None
    score: Score | None = None
    progress: OnProgress | None = None

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil(len(self.train) / self.recipe.batch_rows)


def train(run: Run, state: RunState, optimiser: torch.optim.Optimizer) -> RunState:
    """Trains from `state.step` to `state.total_steps`. A kill at any moment loses at most the steps since a checkpoint.

    Raises ModelFailed where the loss is no longer a number.
    """
    recipe, trained = run.recipe, lora.parameters(run.adapter)
    lengths = [len(row.ids) for row in run.train]
    batches: list[list[int]] = []
    _keep_again(run, state)
    consistent = True  # adapter, optimiser, step and best score agree: a checkpoint may be written
    try:
        while state.step < state.total_steps:
            started = time.perf_counter()
            epoch, place = divmod(state.step, run.steps_per_epoch)
            if not batches or place == 0:
                batches = epoch_batches(lengths, recipe.batch_rows, run.seed, epoch)
            if epoch == 0:
                _keep_ahead(run, batches, place)
            rows = [run.train[number] for number in batches[place]]
            rate = learning_rate(state.step, state.total_steps, recipe)
            for group in optimiser.param_groups:
                group["lr"] = rate * group["ratio"]
            loss = backward(run.loaded, rows, recipe.micro_batch_tokens, run.frozen)
            if not math.isfinite(loss):
                remedy = f"Try half the learning rate: {recipe.learning_rate / 2:g}."
                raise ModelFailed(f"The training loss is {loss} at step {state.step + 1}.", remedy)
            torch.nn.utils.clip_grad_norm_(trained, recipe.max_grad_norm)
            consistent = False
            optimiser.step()
            optimiser.zero_grad()
            state.step += 1
            state.tokens += sum(len(row.ids) - 1 for row in rows)
            state.seconds += time.perf_counter() - started
            scored = _evaluate(run, state) if _is_evaluation_due(run, state) else (None, None)
            consistent = True
            _record(run, state, loss, rate, *scored)
            if scored[0] is not None or state.step % recipe.checkpoint_every_steps == 0:
                save(run, state, optimiser)
    except KeyboardInterrupt:
        if consistent:
            save(run, state, optimiser)
        raise
    return state


def backward(
    loaded: LoadedModel, rows: Sequence[TokenisedRow], micro_batch_tokens: int, frozen: FrozenBelow | None = None
) -> float:
    """Adds the gradient of the batch's loss, the weighted mean over its taught tokens; returns that loss in nats."""
    weight_sum = sum(weight for row in rows for weight in row.weights[1:])
    total = 0.0
    for numbers in token_budget_batches([row.ids for row in rows], micro_batch_tokens):
        batch, hidden_PH = forward(loaded.model, [rows[number] for number in numbers], loaded.device, frozen)
        part = torch.zeros((), device=loaded.device)
        pieces = zip(
            *(tensor.split(PLACES_AT_ONCE) for tensor in (hidden_PH, batch.targets_P, batch.weights_P)), strict=True
        )
        several = len(batch.targets_P) > PLACES_AT_ONCE
        for piece in pieces:
            arguments = (loaded.model, *piece)
            part = part + (recompute(_loss_sum, *arguments, use_reentrant=False) if several else _loss_sum(*arguments))
        part = part / weight_sum
        part.backward()
        total += float(part.detach())
    return total


def learning_rate(step: int, total_steps: int, recipe: Recipe) -> float:
    """The rate of the update after `step` updates: a linear rise, then a fall that would reach 0 at `total_steps`."""
    rising = math.ceil(total_steps * recipe.warmup_share)
    if step < rising:
        return recipe.learning_rate * (step + 1) / rising
    share = (step - rising) / max(1, total_steps - rising)
    if recipe.schedule == "cosine":
        return recipe.learning_rate * (1 + math.cos(math.pi * share)) / 2
    return recipe.learning_rate * (1 - share)


def save(run: Run, state: RunState, optimiser: torch.optim.Optimizer) -> None:
    """Writes the checkpoint of this moment."""
    checkpoint.save(run.checkpoint, run.fingerprint, state, lora.state_dict(run.adapter), optimiser.state_dict())


def _keep_ahead(run: Run, batches: Sequence[Sequence[int]], place: int) -> None:
    """Now and then in the first epoch computes the layers below the adapters for several small batches at once."""
    ahead = _batches_ahead(run)
    if run.frozen is not None and place % ahead == 0:
        rows = [run.train[number] for batch in batches[place : place + ahead] for number in batch]
        if run.frozen.has_room(rows):
            run.frozen.keep(rows, run.recipe.micro_batch_tokens, run.loaded.device)


def _batches_ahead(run: Run) -> int:
    return max(1, ROWS_AHEAD // run.recipe.batch_rows)


def _keep_again(run: Run, state: RunState) -> None:
    """A resumed run needs the hidden states that it kept in its first epoch: from the same batches, to the last bit."""
    if run.frozen is None or not 0 < state.step < state.total_steps:
        return
    batches = epoch_batches([len(row.ids) for row in run.train], run.recipe.batch_rows, run.seed, 0)
    read_again = state.total_steps > run.steps_per_epoch
    start = 0 if read_again else state.step - state.step % _batches_ahead(run)
    for place, numbers in enumerate(batches[start : state.step], start):
        _keep_ahead(run, batches, place)
        run.frozen.keep([run.train[number] for number in numbers], run.recipe.micro_batch_tokens, run.loaded.device)


def _loss_sum(model: Any, hidden_PH: torch.Tensor, targets_P: torch.Tensor, weights_P: torch.Tensor) -> torch.Tensor:
    losses_P = functional.cross_entropy(head_logits(model, hidden_PH), targets_P, reduction="none")
    return (losses_P * weights_P).sum()


def _is_evaluation_due(run: Run, state: RunState) -> bool:
    if not run.validation and run.score is None:
        return False
    every = run.recipe.evaluate_every_steps or run.steps_per_epoch
    return state.step % every == 0 or state.step == state.total_steps


def _evaluate(run: Run, state: RunState) -> tuple[float, float | None]:
    """Task score and validation loss of the model as it is; keeps it if it is the best."""
    started = time.perf_counter()
    adapter = lora.state_dict(run.adapter)
    loss, score = None, 0.0
    if run.validation:
        result = validate(
            run.loaded.model, run.validation, run.loaded.device, run.recipe.micro_batch_tokens, run.frozen_held_out
        )
        loss, score = result.loss, result.exact_match
    if run.score is not None:
        score = run.score(adapter)
    state.take_if_best(score, loss, adapter)
    state.seconds += time.perf_counter() - started
    return score, loss


def _record(run: Run, state: RunState, loss: float, rate: float, score: float | None, score_loss: float | None) -> None:
    """Appends the step to metrics.jsonl and tells the caller."""
    left = (state.total_steps - state.step) * state.seconds / state.step
    progress = TuneProgress(
        step=state.step,
        total_steps=state.total_steps,
        epoch=state.step / run.steps_per_epoch,
        loss=loss,
        learning_rate=rate,
        tokens_per_s=state.tokens / state.seconds,
        seconds_left=left,
        validation_score=score,
        validation_loss=score_loss,
    )
    state.history.append(progress)
    with (run.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(progress.to_json()) + "\n")
    if run.progress is not None:
        run.progress(progress)
