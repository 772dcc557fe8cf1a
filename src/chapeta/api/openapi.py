"""The description of our API, at /openapi.json: what we check ourselves; other fields of OpenAI's API pass through."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from chapeta import __version__
from chapeta.types import Json

STRING: Json = {"type": "string"}
OBJECT: Json = {"type": "object"}
COUNT: Json = {"type": ["integer", "null"], "minimum": 1}
NUMBER: Json = {"type": ["number", "null"]}


@lru_cache(maxsize=1)
def openapi() -> Json:
    """OpenAPI 3.1 of the paths that the server has."""
    chat = _post("Chat completion", "ChatRequest", {**_json("ChatCompletion"), "text/event-stream": {"schema": STRING}})
    embed = _post("Embeddings", "EmbeddingsRequest", _json("Embeddings"))
    one = {"name": "model", "in": "path", "required": True, "schema": STRING}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Chapeta",
            "version": __version__,
            "description": "Every model behind one door, in OpenAI's words.",
        },
        "paths": {
            "/v1/chat/completions": {"post": chat},
            "/v1/embeddings": {"post": embed},
            "/v1/models": {"get": _get("Models and deployments", "ModelList")},
            "/v1/models/{model}": {"get": {**_get("One model", "Model"), "parameters": [one]}},
            "/health": {"get": {**_get("Whether the server runs", "Health"), "security": []}},
        },
        "security": [{}, {"access_key": []}],
        "components": {
            "securitySchemes": {"access_key": {"type": "http", "scheme": "bearer"}},
            "schemas": SCHEMAS,
        },
    }


def _of(properties: Json, required: tuple[str, ...] = ()) -> Json:
    return {"type": "object", "properties": properties, "required": list(required)}


def _list(items: Json, **more: Any) -> Json:
    return {"type": "array", "items": items, **more}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(name: str) -> Json:
    return {"application/json": {"schema": _ref(name)}}


ROLES = ["system", "developer", "user", "assistant", "tool", "function"]
SCHEMAS: Json = {
    "Message": _of(
        {"role": {"type": "string", "enum": ROLES}, "content": {"type": ["string", "array", "null"], "items": OBJECT}},
        ("role",),
    ),
    "ChatRequest": _of(
        {
            "model": {**STRING, "description": "A deployment, a local model, or PROVIDER/MODEL."},
            "messages": _list(_ref("Message"), minItems=1),
            "models": {"type": ["array", "null"], "items": STRING, "description": "Fallbacks, in this order."},
            "stream": {"type": ["boolean", "null"]},
            "stream_options": {
                "type": ["object", "null"],
                "properties": {"include_usage": {"type": ["boolean", "null"]}},
            },
            "n": COUNT,
            "max_tokens": COUNT,
            "max_completion_tokens": COUNT,
            "temperature": NUMBER,
            "top_p": NUMBER,
            "tools": {"type": ["array", "null"], "items": OBJECT},
            "response_format": {"type": ["object", "null"]},
        },
        ("model", "messages"),
    ),
    "ChatCompletion": _of({"choices": _list(OBJECT), "usage": OBJECT}, ("choices",)),
    "EmbeddingsRequest": _of({"model": STRING, "input": {"type": ["string", "array"]}}, ("model", "input")),
    "Embeddings": _of({"data": _list(OBJECT)}, ("data",)),
    "Model": _of(
        {"id": STRING, "object": {"const": "model"}, "created": {"type": "integer"}, "owned_by": STRING},
        ("id", "object", "created", "owned_by"),
    ),
    "ModelList": _of({"object": {"const": "list"}, "data": _list(_ref("Model"))}, ("object", "data")),
    "Health": _of({"status": STRING}, ("status",)),
    "Error": _of(
        {
            "error": _of(
                {
                    "message": STRING,
                    "type": STRING,
                    "param": {"type": ["string", "null"]},
                    "code": {},
                    "metadata": OBJECT,
                },
                ("message", "type", "param", "code"),
            )
        },
        ("error",),
    ),
}


def _errors() -> Json:
    return {"default": {"description": "What went wrong, and what to do", "content": _json("Error")}}


def _post(summary: str, body: str, answer: Json) -> Json:
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": _json(body)},
        "responses": {"200": {"description": "The answer", "content": answer}, **_errors()},
    }


def _get(summary: str, answer: str) -> Json:
    return {
        "summary": summary,
        "responses": {"200": {"description": summary, "content": _json(answer)}, **_errors()},
    }
