"""What is kept of the layers below the adapters gives the very gradients of the whole model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from test_packing import CONFIGURATIONS, CPU
from torch.nn import functional
from transformers import AutoModelForCausalLM

from chapeta.tuning import lora
from chapeta.tuning.batches import answer_hidden, collate, head_logits
from chapeta.tuning.frozen import FrozenBelow, Rests
from chapeta.tuning.packing import use_packing
from chapeta.tuning.tokenise import TokenisedRow
from chapeta.tuning.validate import validate

FIRST_ADAPTED = 2
ROWS = [
    TokenisedRow((3, 4, 5, *rest), (0.0,) * (2 + len(rest)) + (1.0,))
    for rest in ((20, 21, 9), (20, 22, 23, 8), (30, 7), (20, 22, 23, 24, 6))
]


@pytest.fixture(params=CONFIGURATIONS)
def model(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(0)
    made = AutoModelForCausalLM.from_config(CONFIGURATIONS[request.param]).eval()
    made.requires_grad_(False)
    use_packing(made)
    return made


@pytest.mark.parametrize("recomputed", [False, True], ids=["", "activations recomputed"])
def test_gradients_are_those_of_the_whole_model_in_every_epoch(model: Any, recomputed: bool, tmp_path: Path) -> None:
    adapter = lora.inject(model, rank=4, alpha=8, seed=0, first_layer=FIRST_ADAPTED)
    assert {lora.layer_of(name) for name in adapter} == {2, 3}
    with torch.no_grad():
        for layer in adapter.values():
            layer.lora_B.normal_(std=0.1)
    batches = (ROWS[:3], [ROWS[1], ROWS[3]], [ROWS[3]])  # the second shares more than all rows do
    expected = [gradients(model, adapter, rows) for rows in batches]
    if recomputed:  # as for long rows
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        model.train()
    frozen = FrozenBelow(model, FIRST_ADAPTED, ROWS, tmp_path)
    for rows, reference in zip(batches, expected, strict=True):
        for source in (None, frozen, frozen):  # the whole model; computed; kept
            for one, other in zip(gradients(model, adapter, rows, source), reference, strict=True):
                torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_kept_rows_are_not_computed_again(model: Any, tmp_path: Path) -> None:
    frozen = FrozenBelow(model, FIRST_ADAPTED, ROWS, tmp_path)
    batch = collate(ROWS, CPU)
    calls = []
    frozen.below.norm.register_forward_hook(lambda *_: calls.append(1))
    before = frozen.answer_hidden(batch, ROWS)
    frozen.keep(ROWS, 1000, CPU)
    assert torch.equal(frozen.answer_hidden(batch, ROWS), before)
    part = collate(ROWS[1:3], CPU)
    torch.testing.assert_close(frozen.answer_hidden(part, ROWS[1:3]), answer_hidden(model, part))
    assert len(calls) == 1
    frozen.anew().answer_hidden(batch, ROWS)
    assert len(calls) == 2


def test_rows_beyond_the_limit_are_computed_each_time(model: Any, tmp_path: Path) -> None:
    one_row = 3 * 32 * 4  # three tokens in fp32
    frozen = FrozenBelow(model, FIRST_ADAPTED, ROWS, tmp_path, limit=one_row)
    batch = collate(ROWS, CPU)
    calls = []
    frozen.below.norm.register_forward_hook(lambda *_: calls.append(1))
    assert frozen.kept_share == pytest.approx(3 / 10)
    for _ in range(3):
        torch.testing.assert_close(frozen.answer_hidden(batch, ROWS), answer_hidden(model, batch))
    assert len(calls) == 3
    kept = [row.ids in frozen._rests for row in ROWS]
    assert kept == [True, False, True, False], "two tokens and one: there is room for three"


def test_there_is_room_for_rows_until_they_fill_it(model: Any, tmp_path: Path) -> None:
    frozen = FrozenBelow(model, FIRST_ADAPTED, ROWS, tmp_path, limit=4 * 32 * 4)  # four tokens in fp32
    assert frozen.has_room(ROWS[:1]) and frozen.has_room([ROWS[0], ROWS[0], ROWS[2]])
    assert not frozen.has_room(ROWS[:2])
    frozen.keep(ROWS[:1], 1000, CPU)
    assert frozen.has_room(ROWS[2:3]) and not frozen.has_room(ROWS[1:2])


def test_a_full_disk_keeps_nothing_and_changes_nothing(model: Any, tmp_path: Path) -> None:
    frozen = FrozenBelow(model, FIRST_ADAPTED, ROWS, tmp_path)
    with Path("/dev/full").open("r+b", buffering=0) as full:
        frozen._rests._file = full
        for _ in range(2):
            batch = collate(ROWS, CPU)
            torch.testing.assert_close(frozen.answer_hidden(batch, ROWS), answer_hidden(model, batch))
    assert not any(row.ids in frozen._rests for row in ROWS)
    assert not frozen.has_room(ROWS[:1])


def test_what_is_kept_is_read_to_the_bit_and_leaves_no_file(tmp_path: Path) -> None:
    rests = Rests(tmp_path, 10_000)
    kept = {(size,): torch.randn(size, 7).to(dtype) for size, dtype in ((1, torch.float32), (5, torch.bfloat16))}
    for ids, rest in kept.items():
        rests.keep(ids, rest)
    assert all(torch.equal(rests.read(ids), rest) for ids, rest in kept.items())
    assert not list(tmp_path.iterdir())


def test_validation_scores_what_is_kept_as_it_scores_the_whole_model(model: Any, tmp_path: Path) -> None:
    frozen = FrozenBelow(model, FIRST_ADAPTED, ROWS, tmp_path)
    whole = validate(model, ROWS, CPU, 16)
    for _ in range(2):
        cut = validate(model, ROWS, CPU, 16, frozen)
        assert cut.row_matches == whole.row_matches and cut.loss == pytest.approx(whole.loss, rel=1e-5)


def gradients(
    model: Any, adapter: lora.Adapter, rows: list[TokenisedRow], frozen: FrozenBelow | None = None
) -> list[torch.Tensor]:
    matrices = lora.parameters(adapter)
    for matrix in matrices:
        matrix.grad = None
    batch = collate(rows, CPU)
    hidden = frozen.answer_hidden(batch, rows) if frozen else answer_hidden(model, batch)
    functional.cross_entropy(head_logits(model, hidden), batch.targets_P).backward()
    return [matrix.grad.clone() for matrix in matrices]
