"""The providers over HTTP that are known by name; a new one is a file here and a line in this table."""

from __future__ import annotations

from chapeta.gateway.providers.anthropic import ANTHROPIC
from chapeta.gateway.providers.fireworks import FIREWORKS
from chapeta.gateway.providers.google import GOOGLE
from chapeta.gateway.providers.local import LLAMACPP, LMSTUDIO, OLLAMA, VLLM
from chapeta.gateway.providers.openai import OPENAI
from chapeta.gateway.providers.openrouter import OPENROUTER
from chapeta.gateway.providers.remote import Remote
from chapeta.gateway.providers.together import TOGETHER

REMOTES: dict[str, Remote] = {
    remote.name: remote
    for remote in (OPENROUTER, OPENAI, ANTHROPIC, GOOGLE, TOGETHER, FIREWORKS, OLLAMA, LMSTUDIO, VLLM, LLAMACPP)
}
