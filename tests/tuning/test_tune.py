"""Tuning the real embedded model on a tiny task: it learns, and answers alike in torch, PEFT and llama.cpp."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from chapeta.engine.llama import Engine
from chapeta.errors import BadInput, OverLimit
from chapeta.tuning import loop, lora
from chapeta.tuning.batches import answer_hidden, collate, head_logits
from chapeta.tuning.divergence import mean_kl
from chapeta.tuning.load import LoadedModel, load
from chapeta.tuning.local import EpochSeconds, data_shape, model_shape, steps_in_time, tune
from chapeta.tuning.recipe import ModelShape, Recipe
from chapeta.tuning.tokenise import TokenisedRow, tokenise
from chapeta.tuning.trainer import TrainingRow, TuneProgress, TuneResult
from chapeta.tuning.validate import validate
from chapeta.types import Decoding, Example, Message, Request

SYSTEM = "Give the code."
CODES = {"dog": "ANIMAL-7", "oak": "PLANT-3", "iron": "METAL-9"}
WORDS = {
    "dog": ("dog", "cat", "horse", "sheep", "wolf", "tiger"),
    "oak": ("oak", "rose", "tulip", "fern", "pine", "grass"),
    "iron": ("iron", "copper", "gold", "silver", "zinc", "lead"),
}
RECIPE = Recipe(
    rank=8,
    alpha=16,
    epochs=4,
    batch_rows=5,
    learning_rate=2e-3,
    max_tokens=64,
    adapted_layers=15,
    checkpoint_every_steps=4,
)


def row(kind: str, word: str) -> TrainingRow:
    return TrainingRow(SYSTEM, Example((Message("user", f"What is {word}?"),), CODES[kind]))


TRAIN = [row(kind, word) for kind, words in WORDS.items() for word in words[:5]]
HELD_OUT = [row(kind, words[5]) for kind, words in WORDS.items()]
LONG = TrainingRow(SYSTEM, Example((Message("user", "word " * 80),), "ANIMAL-7"))


@dataclass(frozen=True)
class Tuned:
    result: TuneResult
    seen: list[TuneProgress]
    folder: Path


@pytest.fixture(scope="module")
def tuned(embedded_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    folder = tmp_path_factory.mktemp("tuned")
    seen: list[TuneProgress] = []
    result = tune(embedded_model, [*TRAIN, LONG], HELD_OUT, RECIPE, folder, seed=0, progress=seen.append)
    return Tuned(result, seen, folder)


@pytest.fixture(scope="module")
def base(embedded_model: Path) -> LoadedModel:
    """The model without adapter; tests that put one on take a copy."""
    return load(embedded_model)


@pytest.fixture
def adapted(base: LoadedModel, tuned: Tuned) -> Iterator[tuple[LoadedModel, lora.Adapter]]:
    """The tuned model, made from the saved folder; the linear layers are put back afterwards."""
    adapter = lora.attach(base.model, tuned.result.adapter_peft)
    yield base, adapter
    for name, layer in adapter.items():
        parent, _, child = name.rpartition(".")
        setattr(base.model.get_submodule(parent), child, layer.base)


def tokens(rows: list[TrainingRow], loaded: LoadedModel) -> tuple[TokenisedRow, ...]:
    return tokenise(rows, loaded.tokeniser).rows


def test_the_task_is_learned_and_the_best_checkpoint_kept(tuned: Tuned) -> None:
    losses = [step.loss for step in tuned.seen]
    assert len(losses) == tuned.result.steps == 12
    assert losses[0] > 2 and losses[-1] < 1
    scored = [step for step in tuned.seen if step.validation_score is not None]
    assert [step.step for step in scored] == [3, 6, 9, 12], "at the end of each epoch"
    best = max(scored, key=lambda step: (step.validation_score or 0, -(step.validation_loss or math.inf)))
    assert tuned.result.chosen_step == best.step
    assert tuned.result.chosen_score == best.validation_score


def test_the_run_is_noted_step_by_step(tuned: Tuned) -> None:
    lines = [json.loads(line) for line in (tuned.folder / "metrics.jsonl").read_text().splitlines()]
    assert lines == [step.to_json() for step in tuned.seen] == [step.to_json() for step in tuned.result.history]
    assert lines[-1]["seconds_left"] == 0
    assert tuned.result.dropped_rows == 1, "the long row is counted"
    assert tuned.result.planned_epochs == 4
    assert 500e6 < tuned.result.peak_rss_bytes < 3e9


def test_a_finished_run_is_not_trained_again(tuned: Tuned, embedded_model: Path) -> None:
    before = (tuned.result.adapter_peft / lora.WEIGHTS_FILE).read_bytes()
    again: list[TuneProgress] = []
    result = tune(embedded_model, [*TRAIN, LONG], HELD_OUT, RECIPE, tuned.folder, seed=0, progress=again.append)
    assert again == []
    assert result.history == tuned.result.history
    assert (result.adapter_peft / lora.WEIGHTS_FILE).read_bytes() == before


def test_the_peft_library_gives_the_same_logits(
    adapted: tuple[LoadedModel, lora.Adapter], tuned: Tuned, embedded_model: Path
) -> None:
    from peft import PeftModel

    theirs = PeftModel.from_pretrained(load(embedded_model).model, tuned.result.adapter_peft)
    (piece,) = tokens([HELD_OUT[0]], adapted[0])
    ids = torch.tensor([piece.ids])
    with torch.inference_mode():
        ours, reference = adapted[0].model(ids).logits, theirs(ids).logits
        with lora.base_only(adapted[1]), theirs.disable_adapter():
            torch.testing.assert_close(adapted[0].model(ids).logits, theirs(ids).logits)
            assert (adapted[0].model(ids).logits - ours).abs().max() > 1, "the adapter changes something"
    torch.testing.assert_close(ours, reference, atol=1e-3, rtol=1e-4)


def test_llama_cpp_answers_as_torch_does(
    adapted: tuple[LoadedModel, lora.Adapter], tuned: Tuned, embedded_model: Path
) -> None:
    loaded = adapted[0]
    rows = [*TRAIN, *HELD_OUT]
    expected = validate(loaded.model, tokens(rows, loaded), loaded.device).row_matches
    path = str(tuned.result.adapter_gguf)
    engine = Engine(embedded_model, adapters=(path,), slots=1)
    try:
        matches = []
        for item in rows:
            messages = (Message("system", SYSTEM), *item.example.messages)
            answer = engine.answer(Request("smollm2-135m", messages, Decoding(12), adapter=path))
            matches.append(answer.text == item.example.answer)
    finally:
        engine.close()
    assert matches == list(expected)
    assert sum(matches) >= 9, "most are right, so that agreement means something"


def test_loss_and_gradient_are_those_of_the_plain_computation(base: LoadedModel) -> None:
    adapter = lora.inject(base.model, 4, 8, seed=3)
    try:
        with torch.no_grad():
            for layer in adapter.values():
                layer.lora_B.normal_(std=0.02, generator=torch.Generator().manual_seed(1))
        weighted = replace(TRAIN[0].example, weight=0.5)
        longer = Example((Message("user", "A rather longer question about oak trees, please?"),), "PLANT-3 it is")
        rows = tokens([TRAIN[7], TrainingRow(SYSTEM, weighted), TrainingRow("", longer)], base)
        matrices = lora.parameters(adapter)

        def gradients() -> list[torch.Tensor]:
            found = [matrix.grad.clone() for matrix in matrices]
            for matrix in matrices:
                matrix.grad = None
            return found

        loss_whole, whole = loop.backward(base, rows, 1024), gradients()
        loss_cut, cut = loop.backward(base, rows, 16), gradients()
        total, weights = torch.zeros(()), 0.0
        for piece in rows:  # one row at a time, all logits, no padding
            logits = base.model(torch.tensor([piece.ids])).logits[0, :-1]
            losses = functional.cross_entropy(logits, torch.tensor(piece.ids[1:]), reduction="none")
            total = total + (losses * torch.tensor(piece.weights[1:])).sum()
            weights += sum(piece.weights)
        (total / weights).backward()
        plain = gradients()
        assert loss_whole == pytest.approx(total.item() / weights, rel=1e-5)
        assert loss_cut == pytest.approx(loss_whole, rel=1e-5)
        for ours, pieces, reference in zip(whole, cut, plain, strict=True):
            torch.testing.assert_close(ours, reference, atol=1e-5, rtol=1e-3)
            torch.testing.assert_close(pieces, reference, atol=1e-5, rtol=1e-3)
    finally:
        for name, layer in adapter.items():
            parent, _, child = name.rpartition(".")
            setattr(base.model.get_submodule(parent), child, layer.base)


def test_divergence_is_the_mean_kl_over_the_answer(
    adapted: tuple[LoadedModel, lora.Adapter], tuned: Tuned, embedded_model: Path
) -> None:
    loaded, adapter = adapted
    talks = [((Message("user", "What is a river?"),), "A river is water."), ((Message("user", "Say hi to all"),), "Hi")]
    found = mean_kl(embedded_model, tuned.result.adapter_peft, talks)
    for kl, (messages, answer) in zip(found, talks, strict=True):
        (piece,) = tokens([TrainingRow("", Example(messages, answer))], loaded)
        ids, start = torch.tensor([piece.ids]), piece.weights.index(1.0) - 1
        with torch.inference_mode():
            tuned_log = loaded.model(ids).logits[0, start:-1].log_softmax(-1)
            with lora.base_only(adapter):
                base_log = loaded.model(ids).logits[0, start:-1].log_softmax(-1)
        assert kl == pytest.approx(
            float(functional.kl_div(tuned_log, base_log, log_target=True, reduction="batchmean")), 1e-3
        )
        assert kl > 0.001


def test_exact_match_asks_for_every_token(adapted: tuple[LoadedModel, lora.Adapter]) -> None:
    loaded = adapted[0]
    right = TRAIN[0]
    nearly = TrainingRow(SYSTEM, replace(right.example, answer=right.example.answer + "!"))
    result = validate(loaded.model, tokens([right, nearly], loaded), loaded.device)
    assert result.row_matches == (True, False)
    assert result.exact_match == 0.5
    (piece,) = tokens([right], loaded)
    batch = collate([piece], loaded.device)
    with torch.inference_mode():
        logits = head_logits(loaded.model, answer_hidden(loaded.model, batch))
    loss = functional.cross_entropy(logits, batch.targets_P)
    assert validate(loaded.model, [piece], loaded.device).loss == pytest.approx(float(loss), rel=1e-4)


def test_the_schedule_rises_then_falls() -> None:
    recipe = replace(RECIPE, learning_rate=1.0, warmup_share=0.2)
    rates = [loop.learning_rate(step, 10, recipe) for step in range(10)]
    assert rates == pytest.approx([0.5, 1, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8])
    cosine = [loop.learning_rate(step, 10, replace(recipe, schedule="cosine")) for step in range(10)]
    assert cosine[2] == 1 and cosine[6] == pytest.approx(0.5)
    assert all(later < earlier for earlier, later in itertools.pairwise(cosine[2:]))


def test_a_time_limit_shortens_the_plan_or_refuses() -> None:
    assert steps_in_time(300, 100, EpochSeconds(60, 60), left_s=100) == 150
    assert steps_in_time(300, 100, EpochSeconds(60, 30), left_s=100) == 200
    assert steps_in_time(300, 100, EpochSeconds(60, 30), left_s=50) == 75
    assert steps_in_time(300, 100, EpochSeconds(60, 60), left_s=1000) == 300
    with pytest.raises(OverLimit, match="Allow at least 2 minutes"):
        steps_in_time(300, 100, EpochSeconds(60, 60), left_s=10)


def test_shapes_are_read_from_the_file_and_the_rows(embedded_model: Path, base: LoadedModel) -> None:
    # a layer: q and o 576+576, k and v 576+192, gate, up and down 576+1536 → 10176; 30 layers
    assert model_shape(embedded_model) == ModelShape("llama", 576, 30, 305_280, 8192)
    adapter_size = sum(sum(layer.base.weight.shape) for layer in _layers(base))
    assert adapter_size == 305_280
    rows = tokenise(TRAIN, base.tokeniser)
    assert data_shape(rows).rows == 15
    assert data_shape(rows).answer_tokens == sum(sum(w > 0 for w in piece.weights) for piece in rows.rows)


def test_no_rows_and_other_architectures_are_refused(embedded_model: Path, tmp_path: Path) -> None:
    import gguf

    with pytest.raises(BadInput, match="no training rows"):
        tune(embedded_model, [], [], RECIPE, tmp_path, seed=0)
    other = tmp_path / "other.gguf"
    writer = gguf.GGUFWriter(other, "mamba")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with pytest.raises(BadInput, match="architecture 'mamba'"):
        tune(other, TRAIN, [], RECIPE, tmp_path, seed=0)


def _layers(loaded: LoadedModel) -> list[lora.LoraLinear]:
    adapter = lora.inject(loaded.model, 1, 1, seed=0)
    for name, layer in adapter.items():
        parent, _, child = name.rpartition(".")
        setattr(loaded.model.get_submodule(parent), child, layer.base)
    return list(adapter.values())
