"""llama.cpp's own C API, straight: the functions that xllamacpp's library exports, without the server in it.

The same build that Chapeta serves with, so that only the way of using it differs. Structures are those of `llama.h` in
xllamacpp's source distribution, of the version below; another version may lay them out otherwise, so it is refused.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from ctypes import POINTER, c_bool, c_char_p, c_float, c_int8, c_int32, c_size_t, c_uint32, c_void_p
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

KNOWN_VERSION = "2026.10.11549"
DEFAULT_UBATCH, DEFAULT_BATCH = 512, 2048
Pending = tuple[int, Sequence[int], int]  # sequence, tokens, position of the first


class ModelParams(ctypes.Structure):
    _fields_ = [
        ("devices", c_void_p), ("tensor_buft_overrides", c_void_p), ("n_gpu_layers", c_int32), ("split_mode", c_int32),
        ("load_mode", c_int32), ("lazy_mode", c_int32), ("main_gpu", c_int32), ("tensor_split", c_void_p),
        ("progress_callback", c_void_p), ("progress_callback_user_data", c_void_p), ("kv_overrides", c_void_p),
        ("vocab_only", c_bool), ("check_tensors", c_bool), ("use_extra_bufts", c_bool), ("no_host", c_bool),
        ("no_alloc", c_bool), ("load_mtp", c_bool),
    ]  # fmt: skip


class ContextParams(ctypes.Structure):
    _fields_ = [
        ("n_ctx", c_uint32), ("n_batch", c_uint32), ("n_ubatch", c_uint32), ("n_seq_max", c_uint32), ("n_rs_seq", c_uint32),
        ("n_outputs_max", c_uint32), ("n_outputs_max_per_seq", c_uint32), ("n_threads", c_int32),
        ("n_threads_batch", c_int32), ("ctx_type", c_int32), ("rope_scaling_type", c_int32), ("pooling_type", c_int32),
        ("attention_type", c_int32), ("flash_attn_type", c_int32), ("rope_freq_base", c_float), ("rope_freq_scale", c_float),
        ("yarn_ext_factor", c_float), ("yarn_attn_factor", c_float), ("yarn_beta_fast", c_float),
        ("yarn_beta_slow", c_float), ("yarn_orig_ctx", c_uint32), ("defrag_thold", c_float), ("cb_eval", c_void_p),
        ("cb_eval_user_data", c_void_p), ("type_k", c_int32), ("type_v", c_int32), ("moe_cache_size", c_size_t),
        ("abort_callback", c_void_p), ("abort_callback_data", c_void_p), ("embeddings", c_bool), ("offload_kqv", c_bool),
        ("no_perf", c_bool), ("op_offload", c_bool), ("swa_full", c_bool), ("kv_unified", c_bool), ("samplers", c_void_p),
        ("n_samplers", c_size_t), ("ctx_other", c_void_p),
    ]  # fmt: skip


class Batch(ctypes.Structure):
    _fields_ = [
        ("n_tokens", c_int32), ("token", POINTER(c_int32)), ("embd", c_void_p), ("pos", POINTER(c_int32)),
        ("n_seq_id", POINTER(c_int32)), ("seq_id", POINTER(POINTER(c_int32))), ("logits", POINTER(c_int8)),
    ]  # fmt: skip


class Llama:
    """A loaded model with room for so many sequences of so many tokens each."""

    def __init__(self, model: Path, sequences: int, context_tokens: int, ubatch: int, unified: bool = False) -> None:
        self._api = api = _library()
        parameters = api.llama_model_default_params()
        self._model = api.llama_model_load_from_file(str(model).encode(), parameters)
        settings = api.llama_context_default_params()
        if (settings.n_ubatch, settings.n_batch) != (DEFAULT_UBATCH, DEFAULT_BATCH) or settings.n_threads < 1:
            raise RuntimeError("xllamacpp's library lays its parameters out otherwise than this file says.")
        settings.n_ctx = context_tokens * sequences
        settings.n_batch, settings.n_ubatch, settings.n_seq_max = DEFAULT_BATCH, ubatch, sequences
        settings.n_threads = settings.n_threads_batch = os.cpu_count() or 1
        settings.kv_unified = unified
        self._context = api.llama_init_from_model(self._model, settings)
        if not self._context:
            raise RuntimeError(f"llama.cpp could not load {model}.")
        self._memory = api.llama_get_memory(self._context)
        self._vocabulary = api.llama_vocab_n_tokens(api.llama_model_get_vocab(self._model))
        self._batch = api.llama_batch_init(DEFAULT_BATCH, 0, 1)

    def decode(self, pending: Sequence[Pending]) -> list[Any]:
        """Computes tokens of several sequences in one batch; the logits after the last of each, in order."""
        batch, at, ends = self._batch, 0, []
        for sequence, tokens, position in pending:
            for place, token in enumerate(tokens):
                batch.token[at], batch.pos[at], batch.n_seq_id[at] = token, position + place, 1
                batch.seq_id[at][0] = sequence
                batch.logits[at] = place + 1 == len(tokens)
                at += 1
            ends.append(at - 1)
        batch.n_tokens = at
        if code := self._api.llama_decode(self._context, batch):
            raise RuntimeError(f"llama_decode: {code}")
        return [
            np.ctypeslib.as_array(self._api.llama_get_logits_ith(self._context, end), (self._vocabulary,))
            for end in ends
        ]

    def copy(self, source: int, target: int) -> None:
        self._api.llama_memory_seq_cp(self._memory, source, target, -1, -1)

    def cut(self, sequence: int, position: int) -> None:
        """Forgets a sequence from a position on."""
        if not self._api.llama_memory_seq_rm(self._memory, sequence, position, -1):
            raise RuntimeError("llama_memory_seq_rm failed")


def _library() -> Any:
    import xllamacpp

    found = version("xllamacpp")
    if found != KNOWN_VERSION:
        raise RuntimeError(f"This file knows the structures of xllamacpp {KNOWN_VERSION}, not of {found}.")
    api = ctypes.CDLL(str(next(Path(xllamacpp.__file__).parent.glob("xllamacpp*.so"))))
    api.llama_model_default_params.restype = ModelParams
    api.llama_context_default_params.restype = ContextParams
    api.llama_batch_init.restype = Batch
    api.llama_get_logits_ith.restype = POINTER(c_float)
    for name in ("llama_model_load_from_file", "llama_init_from_model", "llama_get_memory", "llama_model_get_vocab"):
        getattr(api, name).restype = c_void_p
    api.llama_model_load_from_file.argtypes = [c_char_p, ModelParams]
    api.llama_init_from_model.argtypes = [c_void_p, ContextParams]
    api.llama_get_memory.argtypes = api.llama_model_get_vocab.argtypes = api.llama_vocab_n_tokens.argtypes = [c_void_p]
    api.llama_batch_init.argtypes = [c_int32, c_int32, c_int32]
    api.llama_decode.argtypes = [c_void_p, Batch]
    api.llama_get_logits_ith.argtypes = [c_void_p, c_int32]
    api.llama_memory_seq_cp.argtypes = [c_void_p, c_int32, c_int32, c_int32, c_int32]
    api.llama_memory_seq_rm.argtypes = [c_void_p, c_int32, c_int32, c_int32]
    api.llama_memory_seq_rm.restype = c_bool
    silent = ctypes.CFUNCTYPE(None, c_int32, c_char_p, c_void_p)(lambda *_: None)
    api.silent = silent  # kept, or the callback is freed
    api.llama_log_set.argtypes = [c_void_p, c_void_p]
    api.llama_log_set(ctypes.cast(silent, c_void_p), None)
    return api
