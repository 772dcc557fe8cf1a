"""A LoRA adapter as the GGUF file that llama.cpp puts on top of a base model: nothing is merged, nothing re-quantised.

llama.cpp stores the q and k rows of llama models in another order than PyTorch does (its rope turns neighbouring pairs,
PyTorch's turns halves), so the rows of their `lora_B` change places as the base's own rows did. Other architectures
keep theirs. Format: github.com/ggml-org/llama.cpp, convert_lora_to_gguf.py and src/llama-adapter.cpp.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chapeta.engine.gguf_header import GgufHeader, read_header
from chapeta.errors import BadInput
from chapeta.files import disk_errors

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

PEFT_PREFIX = "base_model.model."
PAIRED_ROPE = frozenset({"llama"})  # architectures whose q and k rows llama.cpp reorders


def write_gguf_adapter(state: Mapping[str, Array], alpha: float, base: Path, target: Path) -> Path:
    """Writes PEFT-named LoRA matrices (`base_model.model.….lora_A.weight`: rank × in, `lora_B`: out × rank) for `base`.

    base: the GGUF model that the adapter belongs to. Returns `target`. Raises BadInput for a matrix that has no place
    in the base model.
    """
    import gguf

    header = read_header(base)
    tensors = gguf_tensors(state, header)
    part = target.with_name(f".{target.name}.part")
    with disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            writer = gguf.GGUFWriter(part, header.architecture)
            writer.add_type("adapter")
            writer.add_string("adapter.type", "lora")
            writer.add_float32("adapter.lora.alpha", float(alpha))
            for name, tensor in tensors.items():
                writer.add_tensor(name, tensor)
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
            writer.close()
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    return target


def gguf_tensors(state: Mapping[str, Array], header: GgufHeader) -> dict[str, Array]:
    """The adapter's matrices under llama.cpp's names and in its row order, as fp32."""
    import numpy as np

    shapes = {tensor.name: tensor.shape for tensor in header.tensors}
    names = _name_map(header)
    tensors: dict[str, Array] = {}
    for name, matrix in state.items():
        module, side = _split_name(name)
        target = names.get_name(module)
        if target is None or f"{target}.weight" not in shapes:
            raise BadInput(
                f"The base model has no layer for '{name}'.", "Use the adapter with the model it was made for."
            )
        rows, columns = shapes[f"{target}.weight"]
        if matrix.shape[0 if side == "b" else 1] != (rows if side == "b" else columns):
            shape = "x".join(map(str, matrix.shape))
            raise BadInput(
                f"'{name}' is {shape}, but the layer is {rows}x{columns}.", "Use the adapter's own base model."
            )
        ordered = _llama_rows(matrix, target, header) if side == "b" else matrix
        tensors[f"{target}.weight.lora_{side}"] = np.ascontiguousarray(ordered, dtype=np.float32)
    return tensors


def _name_map(header: GgufHeader) -> Any:
    import gguf

    architecture = next((key for key, name in gguf.MODEL_ARCH_NAMES.items() if name == header.architecture), None)
    if architecture is None:
        raise BadInput(
            f"The gguf package knows no architecture '{header.architecture}'.", "Update it: pip install -U gguf"
        )
    return gguf.get_tensor_name_map(architecture, header.number("block_count"))


def _split_name(name: str) -> tuple[str, str]:
    """`base_model.model.model.layers.0.mlp.up_proj.lora_B.weight` → (`model.layers.0.mlp.up_proj`, `b`)."""
    module = name.removeprefix(PEFT_PREFIX)
    for side in ("a", "b"):
        ending = f".lora_{side.upper()}.weight"
        if module.endswith(ending):
            return module.removesuffix(ending), side
    raise BadInput(f"'{name}' is not a LoRA matrix.", "Give the matrices of an adapter as PEFT names them.")


def _llama_rows(matrix: Array, target: str, header: GgufHeader) -> Array:
    """Rows in llama.cpp's order: in each head, row i of the first half is followed by row i of the second half."""
    kind = target.rsplit(".", 1)[-1]
    if header.architecture not in PAIRED_ROPE or kind not in ("attn_q", "attn_k"):
        return matrix
    heads = header.number("attention.head_count")
    if kind == "attn_k":
        heads = header.metadata.get(f"{header.architecture}.attention.head_count_kv", heads)
    halves = matrix.reshape(heads, 2, matrix.shape[0] // heads // 2, *matrix.shape[1:])
    ordered: Array = halves.swapaxes(1, 2).reshape(matrix.shape)
    return ordered
