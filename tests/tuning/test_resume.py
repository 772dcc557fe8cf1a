"""A run that is killed, at a moment it does not choose, ends in the very bytes of a run that was left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from chapeta.tuning import loop, lora
from chapeta.tuning.checkpoint import RunState, load, save
from chapeta.tuning.local import tune
from chapeta.tuning.recipe import Recipe
from chapeta.tuning.trainer import TrainingRow, TuneProgress
from chapeta.types import Example, Message

RECIPE = Recipe(
    rank=4,
    alpha=8,
    epochs=2,
    batch_rows=2,
    learning_rate=1e-3,
    max_tokens=64,
    adapted_layers=20,
    checkpoint_every_steps=3,
    warmup_share=0.2,
)
ROWS = [
    TrainingRow("Count.", Example((Message("user", "one " * length),), str(length)))
    for length in (1, 2, 3, 4, 5, 6, 7, 8)
]
CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
import torch
torch.set_num_threads(int(sys.argv[4]))
from test_resume import RECIPE, ROWS
from chapeta.tuning.local import tune
tune(Path(sys.argv[1]), ROWS[:6], ROWS[6:], RECIPE, Path(sys.argv[2]), seed=5)
"""


def child(model: Path, folder: Path) -> subprocess.Popen[bytes]:
    arguments = [str(model), str(folder), str(Path(__file__).parent), str(torch.get_num_threads())]
    return subprocess.Popen([sys.executable, "-c", CHILD, *arguments])


def noted_steps(folder: Path) -> int:
    path = folder / "metrics.jsonl"
    return path.read_text().count("\n") if path.exists() else 0


@pytest.fixture(scope="module")
def undisturbed(embedded_model: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("undisturbed")
    result = tune(embedded_model, ROWS[:6], ROWS[6:], RECIPE, folder, seed=5)
    assert result.steps == 6
    return (result.adapter_peft / lora.WEIGHTS_FILE).read_bytes()


def test_killed_and_run_again_gives_the_same_bytes(embedded_model: Path, tmp_path: Path, undisturbed: bytes) -> None:
    process = child(embedded_model, tmp_path)
    deadline = time.monotonic() + 120
    while noted_steps(tmp_path) < 4 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "adapter").exists(), "it was killed before the end"
    steps: list[TuneProgress] = []
    result = tune(embedded_model, ROWS[:6], ROWS[6:], RECIPE, tmp_path, seed=5, progress=steps.append)
    assert 1 < steps[0].step <= 5, "it went on from a checkpoint, not from the start"
    assert [step.step for step in result.history] == [1, 2, 3, 4, 5, 6]
    assert noted_steps(tmp_path) == 6
    assert (result.adapter_peft / lora.WEIGHTS_FILE).read_bytes() == undisturbed


def test_interrupted_leaves_a_checkpoint_of_that_step(embedded_model: Path, tmp_path: Path, undisturbed: bytes) -> None:
    def stop_at_two(progress: TuneProgress) -> None:
        if progress.step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(embedded_model, ROWS[:6], ROWS[6:], RECIPE, tmp_path, seed=5, progress=stop_at_two)
    steps: list[TuneProgress] = []
    result = tune(embedded_model, ROWS[:6], ROWS[6:], RECIPE, tmp_path, seed=5, progress=steps.append)
    assert steps[0].step == 3
    assert (result.adapter_peft / lora.WEIGHTS_FILE).read_bytes() == undisturbed


@pytest.mark.parametrize("epochs", [1, 2])
def test_interrupted_between_batches_computed_together_goes_on_in_the_same_bytes(
    embedded_model: Path, tmp_path: Path, epochs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop_at_one(progress: TuneProgress) -> None:
        if progress.step == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "ROWS_AHEAD", 4)
    recipe = replace(RECIPE, epochs=epochs)
    whole = tune(embedded_model, ROWS[:6], [], recipe, tmp_path / "whole", seed=5)
    with pytest.raises(KeyboardInterrupt):
        tune(embedded_model, ROWS[:6], [], recipe, tmp_path / "halved", seed=5, progress=stop_at_one)
    halved = tune(embedded_model, ROWS[:6], [], recipe, tmp_path / "halved", seed=5)
    weights = [(result.adapter_peft / lora.WEIGHTS_FILE).read_bytes() for result in (whole, halved)]
    assert weights[0] == weights[1]


def test_interrupted_while_it_scores_an_epoch_scores_it_again(
    embedded_model: Path, tmp_path: Path, undisturbed: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(loop, "validate", stop)
        tune(embedded_model, ROWS[:6], ROWS[6:], RECIPE, tmp_path, seed=5)
    result = tune(embedded_model, ROWS[:6], ROWS[6:], RECIPE, tmp_path, seed=5)
    assert [step.step for step in result.history if step.validation_score is not None] == [3, 6]
    assert (result.adapter_peft / lora.WEIGHTS_FILE).read_bytes() == undisturbed


def test_a_checkpoint_of_other_settings_or_a_damaged_one_is_not_resumed(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    state = RunState(total_steps=9, step=4, best_score=0.5, best_adapter={"x": torch.ones(2)})
    save(path, "this run", state, {"x": torch.zeros(2)}, {"state": {}, "param_groups": []})
    found = load(path, "this run")
    assert found is not None
    assert (found[0].step, found[0].total_steps, found[0].best_score) == (4, 9, 0.5)
    assert found[0].best_adapter["x"].tolist() == [1, 1] and found[1]["x"].tolist() == [0, 0]
    assert load(path, "another run") is None
    path.write_bytes(path.read_bytes()[:-20])
    assert load(path, "this run") is None
    assert load(tmp_path / "absent.pt", "this run") is None
