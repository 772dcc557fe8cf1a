"""The model that training adapts: the very GGUF file that is served, dequantised into PyTorch, and its tokeniser.

transformers' own GGUF loading took 44 s and 11 s for a 135M model (it builds a name map 397 times and parses the file
thrice). Here the tensors are read directly (about 3 s), and the two things that follow from the file's head alone, the
configuration and the tokeniser, are converted once by transformers and kept beside the weights.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from chapeta.engine.gguf_header import GgufHeader, TensorInfo, read_header
from chapeta.errors import BadInput
from chapeta.files import UNFINISHED
from chapeta.tuning.packing import use_packing
from chapeta.tuning.recipe import PRECISIONS

# Architectures whose tensors we know how to bring back to PyTorch's form, and what llama.cpp's converter changed.
ARCHITECTURES = {"llama": "rope", "qwen2": "", "qwen3": "", "gemma2": "norm", "gemma3": "norm"}

DIGIT_SPLITTERS = frozenset({"smollm", "starcoder", "refact", "command-r", "codeshell"})  # llama.cpp's pre-tokenisers
CONVERSION = 2  # raised when the kept configuration or tokeniser would come out differently


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A frozen PyTorch model on its device, its tokeniser, and the file's head."""

    model: Any
    tokeniser: Any
    header: GgufHeader
    device: torch.device


def load(path: Path, precision: str = "auto") -> LoadedModel:
    """Loads a GGUF model for training; every parameter is frozen. `precision` as in `Recipe.precision`.

    Raises BadInput for an architecture that cannot be trained here, Corrupt for a damaged file.
    """
    header = read_header(path)
    if header.architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise BadInput(
            f"Tuning does not know the architecture '{header.architecture}' of {path.name}.", f"Known: {known}."
        )
    device = pick_device()
    configuration, tokeniser = _configuration_and_tokeniser(path, header)
    model = _build(path, header, configuration, pick_dtype(precision, device))
    model.requires_grad_(False)
    model.eval()
    use_packing(model)
    return LoadedModel(model.to(device), tokeniser, header, device)


def load_tokeniser(path: Path) -> Any:
    """The model's tokeniser with its chat template, without the weights."""
    return _configuration_and_tokeniser(path, read_header(path))[1]


def pick_device() -> torch.device:
    """The fastest device that this PyTorch can use."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def pick_dtype(precision: str, device: torch.device) -> torch.dtype:
    """bf16 where the hardware multiplies it natively; emulated, it has a quarter of fp32's speed (measured)."""
    if precision not in PRECISIONS:
        raise BadInput(f"Precision '{precision}' is unknown.", f"Choose one of {', '.join(PRECISIONS)}.")
    if precision != "auto":
        return torch.bfloat16 if precision == "bf16" else torch.float32
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    if device.type == "mps":
        return torch.bfloat16
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    native = any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "amx_tile"))
    return torch.bfloat16 if native else torch.float32


def _build(path: Path, header: GgufHeader, configuration: Any, dtype: torch.dtype) -> Any:
    """A causal language model with the file's weights. The empty one is on no device: it only tells class and names."""
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        empty = AutoModelForCausalLM.from_config(configuration)
    state = _state_dict(path, header, list(empty.state_dict()), dtype)
    with _quiet_transformers():
        model, report = type(empty).from_pretrained(
            None, config=configuration, state_dict=state, dtype=dtype, output_loading_info=True
        )
    missing = set(report["missing_keys"])
    if missing:
        raise BadInput(f"{path.name} lacks the tensor '{min(missing)}' ({len(missing)} in all).", "Use another file.")
    return model


def _state_dict(path: Path, header: GgufHeader, names: list[str], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    import gguf

    architecture = next(key for key, name in gguf.MODEL_ARCH_NAMES.items() if name == header.architecture)
    name_map = gguf.get_tensor_name_map(architecture, header.number("block_count"))
    tensors = {tensor.name: tensor for tensor in header.tensors}
    data = np.memmap(path, mode="r")
    state = {}
    for name in names:
        module, _, kind = name.rpartition(".")
        tensor = tensors.get(f"{name_map.get_name(module)}.{kind}")
        if tensor is not None:  # a tied lm_head has no tensor of its own
            state[name] = torch.from_numpy(_to_pytorch(_dequantise(data, tensor), tensor.name, header)).to(dtype)
    return state


def _dequantise(data: np.memmap[Any, Any], tensor: TensorInfo) -> np.ndarray[Any, Any]:
    import gguf

    kind = gguf.GGMLQuantizationType(tensor.ggml_type)
    shape = gguf.quant_shape_to_byte_shape(tensor.shape, kind)
    raw = data[tensor.offset : tensor.offset + int(np.prod(shape))].reshape(shape)
    try:
        return np.array(gguf.dequantize(np.asarray(raw), kind), dtype=np.float32).reshape(tensor.shape)
    except NotImplementedError:
        raise BadInput(f"Tensors stored as {kind.name} cannot be trained.", "Use a Q8_0, Q4_K or F16 file.") from None


def _to_pytorch(weights: np.ndarray[Any, Any], name: str, header: GgufHeader) -> np.ndarray[Any, Any]:
    """Undoes what llama.cpp's converter did: rope's row order in q and k, the 1 that Gemma's norms add."""
    change = ARCHITECTURES[header.architecture]
    if change == "norm" and name.endswith("norm.weight"):
        return weights - np.float32(1)
    kind = name.split(".")[-2]
    if change != "rope" or kind not in ("attn_q", "attn_k"):
        return weights
    heads = header.number("attention.head_count")
    if kind == "attn_k":
        heads = header.metadata.get(f"{header.architecture}.attention.head_count_kv", heads)
    pairs = weights.reshape(heads, weights.shape[0] // heads // 2, 2, *weights.shape[1:])
    return np.ascontiguousarray(pairs.swapaxes(1, 2).reshape(weights.shape))


def _configuration_and_tokeniser(path: Path, header: GgufHeader) -> tuple[Any, Any]:
    """From the folder kept beside the weights; the head's hash is in its name, so it is never another model's."""
    from transformers import AutoConfig, AutoTokenizer

    kept = path.parent / f".{path.stem}-{header.digest[:16]}-{CONVERSION}"
    if not kept.is_dir():
        with tempfile.TemporaryDirectory() as scratch:
            folder = _convert(path, header, Path(scratch) / "converted")
            with suppress(OSError):  # a read-only folder: converted again next time, 5 s
                _keep(folder, kept)
            source = kept if kept.is_dir() else folder
            return AutoConfig.from_pretrained(source), AutoTokenizer.from_pretrained(source)
    return AutoConfig.from_pretrained(kept), AutoTokenizer.from_pretrained(kept)


def _convert(path: Path, header: GgufHeader, folder: Path) -> Path:
    from transformers import AutoConfig, AutoTokenizer

    with _one_gguf_parse(), _quiet_transformers():
        AutoConfig.from_pretrained(path.parent, gguf_file=path.name).save_pretrained(folder)
        tokeniser = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    if header.metadata.get("tokenizer.ggml.pre") in DIGIT_SPLITTERS:
        _split_digits(tokeniser)
    tokeniser.save_pretrained(folder)
    return folder


def _split_digits(tokeniser: Any) -> None:
    """Each digit alone, then GPT-2's words. Without it " ½" became other tokens than in llama.cpp; a test found it."""
    from tokenizers import Regex, pre_tokenizers

    digits = pre_tokenizers.Split(Regex(r"\p{N}"), behavior="isolated")
    words = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokeniser.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, words])


def _keep(folder: Path, kept: Path) -> None:
    """Moves a finished folder into place in one step; a second process that was faster wins."""
    part = Path(tempfile.mkdtemp(prefix=f"{kept.name}.", suffix=UNFINISHED, dir=kept.parent))
    try:
        shutil.copytree(folder, part, dirs_exist_ok=True)
        os.replace(part, kept)  # noqa: PTH105 - the name says that it is one step
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def _one_gguf_parse() -> Iterator[None]:
    """transformers parses the file's head for each question (7 s a time, in views of a memory map): once, and plainly.

    Only a saving: if a later release asks elsewhere, the conversion is slower and gives the same.
    """
    import gguf

    original = gguf.GGUFReader

    class PlainReader(original):  # type: ignore[misc, valid-type]
        @property
        def data(self) -> np.ndarray[Any, Any]:
            return self._plain

        @data.setter
        def data(self, mapped: np.ndarray[Any, Any]) -> None:
            self._plain = np.asarray(mapped)

    gguf.GGUFReader = lru_cache(maxsize=1)(PlainReader)
    try:
        yield
    finally:
        gguf.GGUFReader = original


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """Silences its progress bars and notes, which would break into ours."""
    from transformers.utils import logging as transformers_logging

    level = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity(logging.ERROR)
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()
