"""Servers on one's own machine, without a key: Ollama, LM Studio, vLLM and llama.cpp, where each listens by default.

A call costs nothing. Another port or machine is an address of one's own (`chapeta.gateway.providers.addresses`). Traps:
- Ollama answers {"data": null} while it has no models, and cuts longer prompts to its own context window (4,096
  tokens by default) without a word: set OLLAMA_CONTEXT_LENGTH. Its `…-cloud` and `…:cloud` models run at Ollama and
  count against a plan there, so what they cost is not known;
- vLLM tells `max_model_len`, llama.cpp `meta.n_ctx_train` (what the model could do, not what the server was given);
- LM Studio lists what is downloaded, and loads a model when it is first asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from chapeta.gateway.providers import rows
from chapeta.gateway.providers.remote import ReadModels, Remote
from chapeta.types import Json, ModelInfo, Price

NOTHING = Price(0.0, 0.0)


def local(name: str, title: str, port: int) -> Remote:
    """The record of a server on this machine."""
    return Remote(
        name=name,
        title=title,
        base_url=f"http://127.0.0.1:{port}/v1",
        needs_key=False,
        public_models=True,
        read_models=_reader(name),
        price=NOTHING,
    )


def _reader(name: str) -> ReadModels:
    def read_models(payload: Any) -> Sequence[ModelInfo]:
        return rows.lines(payload, lambda row: _line(name, row))

    return read_models


def _line(name: str, row: Json) -> ModelInfo | None:
    line = rows.plain_line(name, row)
    return line and replace(line, price=None if line.id.endswith(("-cloud", ":cloud")) else NOTHING)


OLLAMA = local("ollama", "Ollama", 11434)
LMSTUDIO = local("lmstudio", "LM Studio", 1234)
VLLM = local("vllm", "vLLM", 8000)
LLAMACPP = local("llamacpp", "llama.cpp", 8080)
