"""The models on offer, in the shape of OpenRouter's GET /models, and what a call to one of them costs.

Ids and prices look like real ones, so that readers meet what they will meet outside; the figures are only examples.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Json = dict[str, Any]

SAMPLING = ("temperature", "top_p", "max_tokens", "max_completion_tokens", "stop", "seed", "frequency_penalty")
CHAT = (*SAMPLING, "response_format", "structured_outputs", "tools", "tool_choice", "logprobs", "top_logprobs")
REASONING = (*CHAT, "reasoning", "include_reasoning", "reasoning_effort")


@dataclass(frozen=True, slots=True)
class Counts:
    """What a call used. `prompt` and `completion` are totals; the others are parts of them."""

    prompt: int
    completion: int
    cached: int = 0
    cache_written: int = 0
    reasoning: int = 0
    images: int = 0


@dataclass(frozen=True, slots=True)
class Cost:
    """US dollars, split as OpenRouter's `cost_details` does."""

    prompt: Decimal
    completion: Decimal

    @property
    def total(self) -> Decimal:
        return self.prompt + self.completion


def cost(pricing: Json, counts: Counts) -> Cost:
    """The price of a call: prices are USD per token in strings, `request` per call, `image` per picture of the prompt."""
    price = prices_in_force(pricing, counts.prompt)
    fresh = counts.prompt - counts.cached - counts.cache_written
    prompt = (
        fresh * price["prompt"]
        + counts.cached * price.get("input_cache_read", price["prompt"])
        + counts.cache_written * price.get("input_cache_write", price["prompt"])
        + counts.images * price.get("image", Decimal(0))
        + price.get("request", Decimal(0))
    )
    spoken = counts.completion - counts.reasoning
    thought = counts.reasoning * price.get("internal_reasoning", price["completion"])
    return Cost(prompt, spoken * price["completion"] + thought)


def prices_in_force(pricing: Json, prompt_tokens: int) -> dict[str, Decimal]:
    """Base prices, overridden where the prompt is longer than an override's threshold; later overrides win."""
    found = {name: Decimal(value) for name, value in pricing.items() if isinstance(value, str)}
    for override in pricing.get("overrides", ()):
        if prompt_tokens > override.get("min_prompt_tokens", 0):
            found |= {name: Decimal(value) for name, value in override.items() if isinstance(value, str)}
    return {name: max(value, Decimal(0)) for name, value in found.items()}  # "-1": the price of whatever it routes to


def find(model_id: str) -> Json | None:
    """The model with that id; variants (`:nitro`), tuned models (`ft:BASE:...`) and bare ids find their base."""
    if model_id.startswith("@preset/"):
        return MODELS[0]
    if model_id.startswith("ft:"):
        base = model_id.split(":")[1]
        return next((model for model in MODELS if base.startswith(bare(model["id"]))), None)
    for name in (model_id, model_id.partition(":")[0]):
        for model in MODELS:
            if name in (model["id"], bare(model["id"])):
                return model
    return None


def bare(model_id: str) -> str:
    """The id without its author, as the author's own API spells it."""
    return model_id.rpartition("/")[2]


def speaks(model: Json) -> bool:
    """Whether the model writes text."""
    return "text" in model["architecture"]["output_modalities"]


def providers(model: Json) -> tuple[str, ...]:
    """Who serves it, the first choice first."""
    return PROVIDERS.get(model["id"].split("/")[0], ("Together", "DeepInfra"))


def _model(
    model_id: str,
    name: str,
    context: int,
    pricing: Json,
    parameters: Iterable[str] = CHAT,
    inputs: Iterable[str] = ("text",),
    outputs: Iterable[str] = ("text",),
    **more: Any,
) -> Json:
    inputs, outputs = list(inputs), list(outputs)
    top = {"context_length": context, "max_completion_tokens": context // 4, "is_moderated": False}
    architecture = {
        "modality": f"{'+'.join(inputs)}->{'+'.join(outputs)}",
        "input_modalities": inputs,
        "output_modalities": outputs,
        "tokenizer": "Other",
        "instruct_type": None,
    }
    return {
        "id": model_id,
        "canonical_slug": model_id.partition(":")[0],
        "hugging_face_id": None,
        "name": name,
        "created": 1_750_000_000,
        "description": f"{name}, as the stand-in plays it.",
        "context_length": context,
        "architecture": architecture,
        "pricing": pricing,
        "top_provider": top,
        "per_request_limits": None,
        "supported_parameters": list(parameters),
        "default_parameters": {"temperature": None, "top_p": None, "frequency_penalty": None},
        "supported_voices": None,
        "knowledge_cutoff": None,
        "expiration_date": None,
        "links": {"details": f"/api/v1/models/{model_id}/endpoints"},
        **more,
    }


PROVIDERS = {
    "openai": ("OpenAI", "Azure"),
    "anthropic": ("Anthropic", "Amazon Bedrock", "Google"),
    "google": ("Google", "Google AI Studio"),
    "mistralai": ("Mistral",),
    "perplexity": ("Perplexity",),
    "deepseek": ("DeepSeek", "Fireworks"),
    "black-forest-labs": ("Black Forest Labs",),
}

MODELS: tuple[Json, ...] = (
    _model(
        "openai/gpt-4.1-mini", "OpenAI: GPT-4.1 Mini", 1_047_576,
        {"prompt": "0.0000004", "completion": "0.0000016", "input_cache_read": "0.0000001", "web_search": "0.01"},
        inputs=("image", "text", "file"),
    ),
    _model(
        "anthropic/claude-sonnet-4.5", "Anthropic: Claude Sonnet 4.5", 1_000_000,
        {
            "prompt": "0.000003", "completion": "0.000015", "input_cache_read": "0.0000003",
            "input_cache_write": "0.00000375",
            "overrides": [{
                "min_prompt_tokens": 200_000, "prompt": "0.000006", "completion": "0.0000225",
                "input_cache_read": "0.0000006", "input_cache_write": "0.0000075",
            }],
        },
        REASONING, inputs=("text", "image", "file"),
        reasoning={"mandatory": False, "default_enabled": False, "supported_efforts": ["high", "medium", "low"]},
    ),
    _model(
        "google/gemini-2.5-flash", "Google: Gemini 2.5 Flash", 1_048_576,
        {
            "prompt": "0.0000003", "completion": "0.0000025", "image": "0.001238", "audio": "0.000001",
            "input_cache_read": "0.00000003", "input_cache_write": "0.0000003833", "internal_reasoning": "0.0000035",
        },
        REASONING, inputs=("file", "image", "text", "audio", "video"),
    ),
    _model(
        "qwen/qwen3-max", "Qwen: Qwen3 Max", 262_144,
        {
            "prompt": "0.0000012", "completion": "0.000006", "input_cache_read": "0.00000024",
            "overrides": [{"min_prompt_tokens": 32_000, "prompt": "0.0000024", "completion": "0.000012"}],
        },
    ),
    _model(
        "deepseek/deepseek-r1", "DeepSeek: R1", 163_840, {"prompt": "0.0000007", "completion": "0.0000024"},
        tuple(name for name in REASONING if name not in ("tools", "tool_choice")),
        reasoning={"mandatory": True, "default_enabled": True, "supported_efforts": None},
    ),
    _model(
        "meta-llama/llama-3.2-1b-instruct", "Meta: Llama 3.2 1B Instruct", 8_192,
        {"prompt": "0.000000005", "completion": "0.00000001"}, SAMPLING,
        hugging_face_id="meta-llama/Llama-3.2-1B-Instruct",
    ),
    _model(
        "meta-llama/llama-3.3-70b-instruct:free", "Meta: Llama 3.3 70B Instruct (free)", 65_536,
        {"prompt": "0", "completion": "0"},
    ),
    _model(
        "mistralai/mistral-small-3.2-24b-instruct", "Mistral: Mistral Small 3.2 24B", 131_072,
        {"prompt": "0.0000001", "completion": "0.0000003"}, inputs=("image", "text"), expiration_date="2026-12-31",
    ),
    _model(
        "perplexity/sonar", "Perplexity: Sonar", 127_072,
        {"prompt": "0.000001", "completion": "0.000001", "request": "0.005", "web_search": "0.005"},
        (*SAMPLING, "web_search_options"),
    ),
    _model(
        "openrouter/auto", "Auto Router", 2_000_000, {"prompt": "-1", "completion": "-1"}, REASONING,
        inputs=("text", "image"),
    ),
    _model(
        "google/gemini-2.5-flash-image", "Google: Gemini 2.5 Flash Image", 32_768,
        {"prompt": "0.0000003", "completion": "0.0000025", "image": "0.001238", "image_output": "0.00003"},
        SAMPLING, inputs=("image", "text"), outputs=("image", "text"),
    ),
    _model(
        "black-forest-labs/flux.2-pro", "Black Forest Labs: FLUX.2 Pro", 46_864,
        {"prompt": "0", "completion": "0", "image_output": "0.00000733"}, ("seed",),
        inputs=("text", "image"), outputs=("image",),
    ),
    _model(
        "openai/text-embedding-3-small", "OpenAI: Text Embedding 3 Small", 8_192,
        {"prompt": "0.00000002", "completion": "0"}, (), outputs=("embeddings",),
    ),
)  # fmt: skip
