"""LoRA matrices under llama.cpp's names and in its row order; the head of the file that holds them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from chapeta.engine.adapter import gguf_tensors, write_gguf_adapter
from chapeta.engine.gguf_header import GgufHeader, TensorInfo, read_header
from chapeta.errors import BadInput, Corrupt, Missing

LAYER = "base_model.model.model.layers.0"


def header(architecture: str, heads: int, heads_kv: int, rows: int, rows_kv: int) -> GgufHeader:
    metadata: dict[str, Any] = {
        "general.architecture": architecture,
        f"{architecture}.block_count": 1,
        f"{architecture}.attention.head_count": heads,
        f"{architecture}.attention.head_count_kv": heads_kv,
    }
    shapes = {"attn_q": (rows, 3), "attn_k": (rows_kv, 3), "attn_v": (rows_kv, 3), "ffn_up": (7, 3)}
    tensors = tuple(TensorInfo(f"blk.0.{name}.weight", shape, 0, 0) for name, shape in shapes.items())
    return GgufHeader(metadata, tensors, "")


def column(values: list[float]) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.array(values, dtype=np.float32)[:, None]


def test_llama_query_rows_are_paired_head_by_head() -> None:
    state = {f"{LAYER}.self_attn.q_proj.lora_B.weight": column([0, 1, 2, 3, 4, 5, 6, 7])}
    tensors = gguf_tensors(state, header("llama", heads=2, heads_kv=1, rows=8, rows_kv=4))
    assert tensors["blk.0.attn_q.weight.lora_b"][:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_llama_key_rows_use_the_number_of_key_heads() -> None:
    state = {f"{LAYER}.self_attn.k_proj.lora_B.weight": column([0, 1, 2, 3])}
    tensors = gguf_tensors(state, header("llama", heads=2, heads_kv=1, rows=8, rows_kv=4))
    assert tensors["blk.0.attn_k.weight.lora_b"][:, 0].tolist() == [0, 2, 1, 3]


@pytest.mark.parametrize(
    ("architecture", "module", "target"),
    [
        ("qwen2", "self_attn.q_proj", "attn_q"),
        ("llama", "self_attn.v_proj", "attn_v"),
        ("llama", "mlp.up_proj", "ffn_up"),
    ],
)
def test_other_rows_stay_in_order(architecture: str, module: str, target: str) -> None:
    base = header(architecture, heads=2, heads_kv=1, rows=8, rows_kv=4)
    rows = next(tensor.shape[0] for tensor in base.tensors if target in tensor.name)
    values = [float(number) for number in range(rows)]
    tensors = gguf_tensors({f"{LAYER}.{module}.lora_B.weight": column(values)}, base)
    assert tensors[f"blk.0.{target}.weight.lora_b"][:, 0].tolist() == values


def test_lora_a_is_never_reordered() -> None:
    matrix = np.arange(6, dtype=np.float32).reshape(2, 3)
    base = header("llama", heads=2, heads_kv=1, rows=8, rows_kv=4)
    tensors = gguf_tensors({f"{LAYER}.self_attn.q_proj.lora_A.weight": matrix}, base)
    assert tensors["blk.0.attn_q.weight.lora_a"].tolist() == matrix.tolist()


@pytest.mark.parametrize(
    ("name", "rows", "words"),
    [
        ("base_model.model.model.layers.5.mlp.up_proj.lora_B.weight", 7, "no layer"),
        (f"{LAYER}.mlp.up_proj.lora_B.weight", 6, "6x1"),
        (f"{LAYER}.mlp.up_proj.weight", 7, "not a LoRA matrix"),
    ],
)
def test_a_matrix_of_another_model_is_refused(name: str, rows: int, words: str) -> None:
    base = header("llama", heads=2, heads_kv=1, rows=8, rows_kv=4)
    with pytest.raises(BadInput, match=words):
        gguf_tensors({name: column([0.0] * rows)}, base)


def test_the_file_states_what_it_is(tmp_path: Path) -> None:
    base = tmp_path / "base.gguf"
    writer = gguf.GGUFWriter(base, "llama")
    writer.add_block_count(1)
    writer.add_head_count(1)
    writer.add_head_count_kv(1)
    writer.add_array("tokenizer.ggml.tokens", [f"word{number}" for number in range(300)])
    writer.add_array("tokenizer.ggml.scores", [0.5] * 300)
    writer.add_array("general.languages", ["de", "en"])
    writer.add_tensor("blk.0.ffn_up.weight", np.ones((4, 3), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    state = {
        f"{LAYER}.mlp.up_proj.lora_A.weight": np.full((2, 3), 5, dtype=np.float32),
        f"{LAYER}.mlp.up_proj.lora_B.weight": np.full((4, 2), 6, dtype=np.float32),
    }
    reader = gguf.GGUFReader(write_gguf_adapter(state, 32, base, tmp_path / "adapter.gguf"))
    fields = {name: field.contents() for name, field in reader.fields.items()}
    assert fields["general.type"] == "adapter"
    assert fields["adapter.type"] == "lora"
    assert fields["adapter.lora.alpha"] == 32
    assert fields["general.architecture"] == "llama"
    found = {tensor.name: tensor.data.tolist() for tensor in reader.tensors}
    assert found == {
        "blk.0.ffn_up.weight.lora_a": [[5.0] * 3] * 2,
        "blk.0.ffn_up.weight.lora_b": [[6.0] * 2] * 4,
    }
    head = read_header(base)
    assert head.metadata["general.languages"] == ["de", "en"]
    assert head.metadata["tokenizer.ggml.tokens"] is None, "long arrays are walked over"
    assert head.tensors == (TensorInfo("blk.0.ffn_up.weight", (4, 3), 0, head.tensors[0].offset),)
    data = base.read_bytes()[head.tensors[0].offset :]
    assert np.frombuffer(data, np.float32, 12).tolist() == [1.0] * 12


def test_a_file_that_is_no_model_is_named(tmp_path: Path, embedded_model: Path) -> None:
    with pytest.raises(Missing):
        read_header(tmp_path / "absent.gguf")
    short = tmp_path / "short.gguf"
    short.write_bytes(b"GG")
    with pytest.raises(Corrupt, match="not a GGUF file"):
        read_header(short)
    other = tmp_path / "other.gguf"
    other.write_bytes(b"PK" * 100)
    with pytest.raises(Corrupt, match="begins with"):
        read_header(other)
    cut = tmp_path / "cut.gguf"
    with embedded_model.open("rb") as file:
        cut.write_bytes(file.read(100_000))
    with pytest.raises(Corrupt, match="damaged"):
        read_header(cut)
