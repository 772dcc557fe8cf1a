"""What is looked up with GET: models, endpoints, key, credits, an earlier generation."""

from __future__ import annotations

import time

from . import errors
from .catalogue import MODELS, bare, find, providers
from .errors import Problem
from .scene import Json, json_reply
from .state import Page, State, sent_key
from .wire import Record


def models(state: State, record: Record) -> Page | Problem:
    """GET /models: those that write text, as outside, unless `output_modalities` asks for others."""
    query = record.query
    wanted = query.get("output_modalities", "text").split(",")
    found = [m for m in MODELS if "all" in wanted or set(wanted) & set(m["architecture"]["output_modalities"])]
    if "q" in query:
        found = [model for model in found if query["q"].lower() in f"{model['id']} {model['name']}".lower()]
    if "supported_parameters" in query:
        needed = set(query["supported_parameters"].split(","))
        found = [model for model in found if needed <= set(model["supported_parameters"])]
    offset, limit = int(query.get("offset", 0)), min(int(query.get("limit", 1000)), 1000)
    more = offset + limit < len(found)
    links = {"next": f"/api/v1/models?offset={offset + limit}&limit={limit}" if more else None}
    value = {"data": found[offset : offset + limit], "total_count": len(found), "links": links}
    return Page(json_reply(200, value), value)


def openai_models(state: State, record: Record) -> Page | Problem:
    """GET /models at OpenAI: ids without author, and a tuned model."""
    data = [_openai_model(bare(model["id"]), model) for model in MODELS]
    tuned = _openai_model("ft:gpt-4.1-mini-2025-04-14:acme::B1x2y3z4", MODELS[0])
    return Page(json_reply(200, {"object": "list", "data": [*data, {**tuned, "owned_by": "acme"}]}, None, "openai"))


def openai_one_model(state: State, record: Record) -> Page | Problem:
    """GET /models/ID at OpenAI."""
    model_id = record.path.removeprefix("/models/")
    model = find(model_id)
    if model is None:
        return errors.no_model("openai", model_id)
    return Page(json_reply(200, _openai_model(model_id, model), None, "openai"))


def _openai_model(model_id: str, model: Json) -> Json:
    return {"id": model_id, "object": "model", "created": model["created"], "owned_by": "system"}


def endpoints(state: State, record: Record) -> Page | Problem:
    """GET /models/AUTHOR/SLUG/endpoints: one a provider."""
    model = find(record.path.removeprefix("/models/").removesuffix("/endpoints"))
    if model is None:
        return Problem(404, "Model not found")
    spread = {"p50": 0.3, "p75": 0.4, "p90": 0.6, "p99": 1.1}
    endpoints = [
        {
            "name": f"{name} | {model['id']}",
            "model_id": model["id"],
            "model_name": model["name"],
            "context_length": model["context_length"],
            "pricing": model["pricing"],
            "provider_name": name,
            "tag": name.lower().replace(" ", "-"),
            "quantization": "unknown",
            "max_completion_tokens": model["top_provider"]["max_completion_tokens"],
            "max_prompt_tokens": None,
            "supported_parameters": model["supported_parameters"],
            "status": 0,
            "uptime_last_5m": 100.0,
            "uptime_last_30m": 99.9,
            "uptime_last_1d": 99.5,
            "supports_implicit_caching": "input_cache_read" in model["pricing"],
            "latency_last_30m": spread,
            "throughput_last_30m": spread,
        }
        for name in providers(model)
    ]
    told = {name: model[name] for name in ("id", "name", "created", "description", "architecture")}
    return Page(json_reply(200, {"data": {**told, "endpoints": endpoints}}))


def key(state: State, record: Record) -> Page | Problem:
    """GET /key: what the key may spend and has spent."""
    spent, key = float(state.spent_usd), sent_key(record)
    data: Json = {
        "label": f"{key[:12]}...{key[-3:]}",
        "limit": state.limit_usd,
        "limit_remaining": None if state.limit_usd is None else state.limit_usd - spent,
        "limit_reset": None,
        "include_byok_in_limit": False,
        "is_free_tier": False,
        "is_management_key": False,
        "is_provisioning_key": False,
        "creator_user_id": "user_2standin0000000000000000000",
        "expires_at": None,
        "rate_limit": {"requests": -1, "interval": "10s", "note": "This field is deprecated and safe to ignore."},
    }
    for period in ("", "_daily", "_weekly", "_monthly"):
        data |= {f"usage{period}": spent, f"byok_usage{period}": 0}
    return Page(json_reply(200, {"data": data}))


def credits(state: State, record: Record) -> Page | Problem:
    """GET /credits."""
    return Page(json_reply(200, {"data": {"total_credits": 250.0, "total_usage": float(state.spent_usd)}}))


def generation(state: State, record: Record) -> Page | Problem:
    """GET /generation?id=...: what an earlier answer used."""
    known = state.generations.get(record.query.get("id", ""))
    if known is None:
        return Problem(404, f"Generation {record.query.get('id', '')} not found")
    found, call = known
    counts = found.counts
    data: Json = dict.fromkeys(UNKNOWN) | {
        "id": found.id,
        "upstream_id": f"chatcmpl-{found.id[-20:]}",
        "total_cost": found.usd,
        "usage": found.usd,
        "created_at": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(found.created)),
        "model": found.model,
        "streamed": bool(found.body.get("stream")),
        "cancelled": call.disconnected,
        "provider_name": found.provider,
        "finish_reason": found.choices[0].finish,
        "native_finish_reason": found.choices[0].finish,
        "tokens_prompt": counts.prompt,
        "tokens_completion": counts.completion,
        "native_tokens_prompt": counts.prompt,
        "native_tokens_completion": counts.completion,
        "native_tokens_reasoning": counts.reasoning,
        "native_tokens_cached": counts.cached,
        "num_media_prompt": counts.images,
        "latency": 1.0,
        "generation_time": 1.0,
        "origin": "",
        "is_byok": False,
        "api_type": "completions",
        "data_region": "global",
    }
    return Page(json_reply(200, {"data": data}))


UNKNOWN = (
    "cache_discount", "upstream_inference_cost", "app_id", "moderation_latency", "service_tier", "num_input_audio_prompt",
    "native_tokens_completion_images", "num_media_completion", "num_search_results", "num_fetches", "web_search_engine",
    "external_user", "preset_id", "router", "provider_responses", "user_agent", "http_referer", "workspace_id",
)  # fmt: skip
