"""Packed rows give the losses and gradients of the rows one by one, on five architectures' attention."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional
from transformers import AutoModelForCausalLM, Gemma2Config, Gemma3TextConfig, LlamaConfig, Qwen2Config, Qwen3Config

from chapeta.tuning import lora
from chapeta.tuning.batches import answer_hidden, collate, head_logits
from chapeta.tuning.packing import pack, shared_beginning, use_packing
from chapeta.tuning.tokenise import TokenisedRow

CPU = torch.device("cpu")
SIZES: dict[str, Any] = {
    "vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 4, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 8, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
CONFIGURATIONS = {
    "llama": LlamaConfig(**SIZES),
    "qwen2": Qwen2Config(**{name: value for name, value in SIZES.items() if name != "head_dim"}),
    "qwen3": Qwen3Config(**SIZES),
    "gemma3, a window of 6 tokens": Gemma3TextConfig(**SIZES, sliding_window=6),
    "gemma2, soft caps": Gemma2Config(**SIZES, sliding_window=6, query_pre_attn_scalar=8),
}
ROWS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=8), min_size=1, max_size=9)


@given(ROWS)
@settings(max_examples=200, deadline=None)
def test_every_token_of_every_row_is_found_again(rows: list[list[int]]) -> None:
    ids, packing = pack(rows, CPU)
    for number, row in enumerate(rows):
        places = [packing.place(number, position) for position in range(len(row))]
        assert ids[places].tolist() == row
        assert packing.position_N[places].tolist() == list(range(len(row)))
    shared = shared_beginning(rows)
    assert len({tuple(row[:shared]) for row in rows}) == 1
    assert len(ids) == shared + sum(len(row) - shared for row in rows)
    assert sorted(packing.padded_BL.flatten()[packing.real_R].tolist()) == list(range(shared, len(ids)))


@pytest.mark.parametrize("name", CONFIGURATIONS)
@pytest.mark.parametrize("shared", [0, 3, 11], ids=lambda shared: f"{shared} shared")
def test_losses_and_gradients_are_those_of_the_rows_alone(name: str, shared: int) -> None:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(CONFIGURATIONS[name], attn_implementation="eager").eval()
    model.requires_grad_(False)
    adapter = lora.inject(model, rank=4, alpha=8, seed=0)
    with torch.no_grad():
        for layer in adapter.values():
            layer.lora_B.normal_(std=0.1)
    rows = [_row(shared, length) for length in (2, 9, 5, 9)]
    expected_loss, expected = _gradients(adapter, sum(_loss_alone(model, row) for row in rows))
    use_packing(model)
    batch = collate(rows, CPU)
    with torch.inference_mode():
        answer_hidden(model, batch)  # what it keeps must serve the backward pass too
    logits = head_logits(model, answer_hidden(model, batch))
    losses = functional.cross_entropy(logits, batch.targets_P, reduction="none")
    loss, found = _gradients(adapter, (losses * batch.weights_P).sum())
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert all(bool(gradient.abs().max() > 0) for gradient in expected)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_last_layer_computes_only_what_is_read(name: str) -> None:
    model = AutoModelForCausalLM.from_config(CONFIGURATIONS[name]).eval()
    use_packing(model)
    computed: list[int] = []
    for layer in model.base_model.layers[-2:]:
        layer.mlp.down_proj.register_forward_hook(lambda _module, _inputs, output: computed.append(output.shape[1]))
    batch = collate([_row(3, 9), _row(3, 5)], CPU)
    with torch.inference_mode():
        answer_hidden(model, batch)
        ids_N, packing = pack([[1, 2, 3, 4], [1, 2, 3, 5, 6]], CPU)
        model.base_model(input_ids=ids_N[None], position_ids=packing.position_N[None], packing=packing)
        model(input_ids=torch.tensor([[1, 2, 3]]))
    assert computed == [len(batch.ids_N), len(batch.predicting_P), 6, 6, 3, 3]
    assert len(batch.predicting_P) < len(batch.ids_N)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_without_a_packing_rows_of_one_length_are_attended_as_always(name: str) -> None:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(CONFIGURATIONS[name], attn_implementation="eager").eval()
    ids = torch.randint(3, 64, (2, 9))
    expected = model(ids).logits
    use_packing(model)
    torch.testing.assert_close(model(ids).logits, expected, rtol=1e-4, atol=1e-5)


def _row(shared: int, length: int) -> TokenisedRow:
    beginning = [3 + place for place in range(shared)]
    rest = torch.randint(20, 64, (length,)).tolist()
    ids = (*beginning, *rest)
    return TokenisedRow(ids, (*(0.0,) * (len(ids) - 1), 1.5) if length < 9 else (*(0.0,) * (len(ids) - 3), 1, 0.5, 1))


def _loss_alone(model: Any, row: TokenisedRow) -> Any:
    logits = model(torch.tensor([row.ids[:-1]])).logits[0].float()
    losses = functional.cross_entropy(logits, torch.tensor(row.ids[1:]), reduction="none")
    return (losses * torch.tensor(row.weights[1:])).sum()


def _gradients(adapter: lora.Adapter, loss: torch.Tensor) -> tuple[float, list[torch.Tensor]]:
    for matrix in lora.parameters(adapter):
        matrix.grad = None
    loss.backward()
    return float(loss.detach()), [matrix.grad.clone() for matrix in lora.parameters(adapter)]


def test_a_long_row_alone_keeps_no_mask_of_its_square() -> None:
    ids, packing = pack([list(range(3000))], CPU)
    assert packing.shared == 2999
    assert packing.ahead_LK.shape == (1, 3000)
    assert len(ids) == 3000
