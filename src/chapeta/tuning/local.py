"""Tuning on this machine: from rows and a recipe to an adapter, through one code path for CPU, CUDA and Apple's MPS."""

from __future__ import annotations

import json
import math
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from chapeta.engine.adapter import write_gguf_adapter
from chapeta.errors import BadInput, OverLimit
from chapeta.files import disk_errors, sha256, write_atomic
from chapeta.tuning import checkpoint, loop, lora
from chapeta.tuning.checkpoint import RunState, State
from chapeta.tuning.frozen import FrozenBelow
from chapeta.tuning.load import LoadedModel, load
from chapeta.tuning.recipe import DataShape, Recipe
from chapeta.tuning.shape import model_shape as model_shape  # both shapes are found here
from chapeta.tuning.tokenise import TokenisedRow, TokenisedRows, tokenise
from chapeta.tuning.trainer import Evaluate, OnProgress, Trainer, TrainingRow, TuneResult

LEAST_EPOCHS = 0.25  # less than this of the data is no tuning


def tune(
    model_path: Path,
    train: Sequence[TrainingRow],
    validation: Sequence[TrainingRow],
    recipe: Recipe,
    out_dir: Path,
    seed: int,
    progress: OnProgress | None = None,
    time_limit_s: float | None = None,
    evaluate: Evaluate | None = None,
) -> TuneResult:
    """Trains an adapter for a GGUF model; writes it for PEFT (`adapter/`) and llama.cpp (`adapter.gguf`) to `out_dir`.

    A checkpoint of the same data, recipe, seed and weights in `out_dir` is resumed, with its plan. `time_limit_s` shortens
    the schedule before it starts, from measured step times. `evaluate` scores a GGUF adapter, higher is better; without
    it the exact match on the validation rows chooses the checkpoint, ties by loss.
    """
    started = time.perf_counter()
    if not train:
        raise BadInput("There are no training rows.", "Give at least one.")
    with disk_errors(out_dir):
        out_dir.mkdir(parents=True, exist_ok=True)
    loaded = load(model_path, recipe.precision)
    rows = tokenise(train, loaded.tokeniser, recipe.max_tokens)
    held_out = _held_out(tokenise(validation, loaded.tokeniser, recipe.max_tokens).rows, recipe, seed)
    first_layer = _first_adapted(loaded, recipe)
    settings = (seed, sha256(model_path), loaded.model.dtype, loaded.device.type, evaluate is not None)
    run = loop.Run(
        loaded=loaded,
        adapter=lora.inject(loaded.model, recipe.rank, recipe.alpha, seed, first_layer),
        train=rows.rows,
        validation=held_out,
        recipe=recipe,
        seed=seed,
        fingerprint=checkpoint.fingerprint(rows.rows, held_out, recipe, *settings),
        folder=out_dir,
        frozen=FrozenBelow(loaded.model, first_layer, rows.rows, out_dir) if first_layer else None,
        frozen_held_out=FrozenBelow(loaded.model, first_layer, held_out, out_dir) if first_layer and held_out else None,
        score=_scorer(evaluate, recipe, model_path, out_dir),
        progress=progress,
    )
    if rows.longest > recipe.micro_batch_tokens:
        _save_memory(loaded)
    groups = lora.parameter_groups(run.adapter, recipe.lora_plus_ratio)
    optimiser = torch.optim.AdamW(groups, recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True)
    left_s = None if time_limit_s is None else time_limit_s - (time.perf_counter() - started)
    state = _resume(run, optimiser) or _start(run, optimiser, left_s)
    loop.train(run, state, optimiser)
    return _finish(run, state, rows, model_path)


def data_shape(rows: TokenisedRows) -> DataShape:
    """What the recipe needs to know of tokenised rows."""
    return DataShape(len(rows.rows), rows.longest, rows.answer_tokens)


@dataclass(frozen=True, slots=True)
class EpochSeconds:
    """How long the first epoch takes, which also computes the layers below the adapters, and each later one."""

    first: float
    later: float


def steps_in_time(wanted: int, steps_per_epoch: int, epoch: EpochSeconds, left_s: float) -> int:
    """How many of the wanted steps fit into the time left, a tenth of which is kept back.

    Raises OverLimit where not even a quarter of an epoch fits.
    """
    usable = 0.9 * left_s
    epochs = usable / epoch.first if usable < epoch.first else 1 + (usable - epoch.first) / epoch.later
    steps = min(wanted, math.floor(steps_per_epoch * epochs))
    if steps < min(wanted, math.ceil(steps_per_epoch * LEAST_EPOCHS)):
        least_minutes = math.ceil(LEAST_EPOCHS * epoch.first / 0.9 / 60 + 1)
        message = f"The time left ({max(0, left_s):.0f} s) does not allow a quarter of an epoch ({epoch.first:.0f} s)."
        raise OverLimit(message, f"Allow at least {least_minutes} minutes for tuning, or use fewer rows.")
    return steps


def _first_adapted(loaded: LoadedModel, recipe: Recipe) -> int:
    """The lowest layer that gets an adapter."""
    return max(0, len(loaded.model.base_model.layers) - recipe.adapted_layers) if recipe.adapted_layers else 0


def _held_out(rows: tuple[TokenisedRow, ...], recipe: Recipe, seed: int) -> tuple[TokenisedRow, ...]:
    """At most `validation_rows` of the validation rows, drawn with the seed."""
    if len(rows) <= recipe.validation_rows:
        return rows
    return tuple(random.Random(f"validation/{seed}").sample(rows, recipe.validation_rows))


def _scorer(evaluate: Evaluate | None, recipe: Recipe, model_path: Path, out_dir: Path) -> loop.Score | None:
    if evaluate is None:
        return None

    def score(state: State) -> float:
        target = write_gguf_adapter(_arrays(state), recipe.alpha, model_path, out_dir / "candidate.gguf")
        try:
            return evaluate(target)
        finally:
            target.unlink(missing_ok=True)

    return score


def _save_memory(loaded: LoadedModel) -> None:
    """Long rows: activations are computed again going backward, not kept. Needs train mode; no layer has dropout."""
    loaded.model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    loaded.model.train()


def _resume(run: loop.Run, optimiser: torch.optim.Optimizer) -> RunState | None:
    found = checkpoint.load(run.checkpoint, run.fingerprint)
    if found is None:
        return None
    state, adapter, optimiser_state = found
    if state.step == state.total_steps < _wanted_steps(run):
        return None  # a time limit had shortened it; asked again, it gets the time that there is now
    lora.load_state(run.adapter, adapter)
    optimiser.load_state_dict(optimiser_state)
    # Steps after the checkpoint will be done, and noted, again.
    notes = "".join(json.dumps(step.to_json()) + "\n" for step in state.history)
    write_atomic(run.folder / "metrics.jsonl", notes)
    return state


def _start(run: loop.Run, optimiser: torch.optim.Optimizer, left_s: float | None) -> RunState:
    """Plans the steps and writes the first checkpoint, which takes the place of another run's."""
    total = _wanted_steps(run) if left_s is None else _steps_in_time(run, left_s)
    state = RunState(total_steps=total)
    loop.save(run, state, optimiser)
    write_atomic(run.folder / "metrics.jsonl", "")
    return state


def _wanted_steps(run: loop.Run) -> int:
    return max(1, round(run.steps_per_epoch * run.recipe.epochs))


def _steps_in_time(run: loop.Run, left_s: float) -> int:
    started = time.perf_counter()
    second_per_token = _seconds_per_token(run)
    tokens = sum(len(row.ids) for row in run.train)
    layers = len(run.loaded.model.base_model.layers)
    adapted_share = len(run.frozen.above.layers) / layers if run.frozen else 1.0
    forward_s = second_per_token.first / (1 + adapted_share)  # backward costs as much, through adapted layers only
    scoring_s = forward_s * sum(len(row.ids) for row in run.validation)
    epoch = EpochSeconds(
        second_per_token.first * tokens + scoring_s, second_per_token.later * tokens + adapted_share * scoring_s
    )
    return steps_in_time(_wanted_steps(run), run.steps_per_epoch, epoch, left_s - (time.perf_counter() - started))


def _seconds_per_token(run: loop.Run) -> EpochSeconds:
    """Measured on rows of middling length, after one pass that warms up. Leaves no gradient behind."""
    by_length = sorted(run.train, key=lambda row: len(row.ids))
    middle = max(0, len(by_length) // 2 - run.recipe.batch_rows // 2)
    rows = by_length[middle : middle + run.recipe.batch_rows]
    seconds = []
    for frozen in (run.frozen and run.frozen.anew(), fresh := run.frozen and run.frozen.anew(), fresh):
        started = time.perf_counter()
        loop.backward(run.loaded, rows, run.recipe.micro_batch_tokens, frozen)
        seconds.append((time.perf_counter() - started) / sum(len(row.ids) for row in rows))
    for matrix in lora.parameters(run.adapter):
        matrix.grad = None
    kept = run.frozen.kept_share if run.frozen else 1.0
    return EpochSeconds(seconds[1], kept * seconds[2] + (1 - kept) * seconds[1])


def _finish(run: loop.Run, state: RunState, rows: TokenisedRows, model_path: Path) -> TuneResult:
    """Writes the chosen adapter in both forms."""
    chosen = state.best_adapter or lora.state_dict(run.adapter)
    recipe = run.recipe
    peft = lora.save_peft(chosen, recipe.rank, recipe.alpha, model_path.name, run.folder / "adapter")
    gguf = write_gguf_adapter(_arrays(chosen), recipe.alpha, model_path, run.folder / "adapter.gguf")
    return TuneResult(
        adapter_gguf=gguf,
        adapter_peft=peft,
        steps=state.step,
        seconds=state.seconds,
        tokens=state.tokens,
        tokens_per_s=state.tokens / state.seconds,
        peak_rss_bytes=_peak_rss_bytes(),
        chosen_step=state.best_step or state.step,
        chosen_score=state.best_score,
        chosen_loss=state.best_loss,
        planned_epochs=recipe.epochs
        if state.total_steps >= _wanted_steps(run)
        else state.total_steps / run.steps_per_epoch,
        dropped_rows=rows.dropped,
        history=tuple(state.history),
    )


def _arrays(state: State) -> dict[str, Any]:
    return {name: matrix.float().numpy() for name, matrix in state.items()}


def _peak_rss_bytes() -> int:
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


_is_a_trainer: Trainer = tune  # checked by the type checker
