"""The table of providers, and how each one's list of models is read: as it is published, and however broken it comes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chapeta.gateway.catalog.cost import LongPrice
from chapeta.gateway.providers import rows
from chapeta.gateway.providers.remote import Remote
from chapeta.gateway.providers.table import REMOTES
from chapeta.types import ModelInfo, Price
from model_server import openrouter_row


def read(provider: str, payload: Any) -> list[ModelInfo]:
    reader = REMOTES[provider].read_models
    assert reader is not None
    return list(reader(payload))


def test_the_table_is_consistent() -> None:
    variables = [variable for remote in REMOTES.values() for variable in remote.key_variables]
    assert len(variables) == len(set(variables))
    for name, remote in REMOTES.items():
        assert remote.name == name
        assert not remote.base_url.endswith("/")
        assert remote.base_url.startswith("https://" if remote.needs_key else "http://127.0.0.1:")
        assert remote.needs_key == bool(remote.key_variables) == bool(remote.key_page)
        assert (remote.price is not None) == (not remote.needs_key)


def test_no_bare_id_is_claimed_by_two_providers() -> None:
    own = [(name, beginning) for name, remote in REMOTES.items() for beginning in remote.own_ids]
    for name, beginning in own:
        assert not [other for other, start in own if other != name and (start + "x").startswith(beginning)]


@pytest.mark.parametrize(
    ("model", "owner"),
    [
        ("gpt-4o-mini", "openai"), ("gpt-6.1-sol", "openai"), ("o4-mini", "openai"), ("text-embedding-3-small", "openai"),
        ("ft:gpt-4o-mini-2024-07-18:org::id", "openai"), ("claude-opus-5-5", "anthropic"), ("gemini-3.8-flash", "google"),
        ("accounts/me/models/tuned", "fireworks"), ("@preset/mine", "openrouter"), ("~anthropic/claude-x", "openrouter"),
        ("gpt-oss-20b", None), ("llama3.2", None), ("qwen/qwen3-8b", None), ("support-triage", None),
    ],
)  # fmt: skip
def test_who_alone_can_have_an_id(model: str, owner: str | None) -> None:
    owners = [name for name, remote in REMOTES.items() if remote.own_ids and model.startswith(remote.own_ids)]
    assert owners == ([owner] if owner else [])


def test_how_keys_travel() -> None:
    bearer = (("authorization", "Bearer k"),)
    assert REMOTES["openai"].auth("k") == REMOTES["openai"].lookup_headers("k") == bearer
    assert REMOTES["anthropic"].auth("k") == bearer
    assert dict(REMOTES["anthropic"].lookup_headers("k")) == {"x-api-key": "k", "anthropic-version": "2023-06-01"}
    assert dict(REMOTES["openrouter"].lookup_headers("k"))["X-OpenRouter-Title"] == "Chapeta"
    assert REMOTES["ollama"].lookup_headers(None) == ()


def test_openrouter() -> None:
    row = openrouter_row(
        "anthropic/claude-sonnet-4.5",
        name="Anthropic: Claude Sonnet 4.5",
        context_length=1_000_000,
        architecture={"input_modalities": ["text", "image", "file"], "output_modalities": ["text"]},
        pricing={
            "prompt": "0.000003", "completion": "0.000015", "request": "0", "image": "0.0048", "web_search": "0.01",
            "input_cache_read": "0.0000003", "input_cache_write": "0.00000375", "internal_reasoning": "0",
            "overrides": [
                {"min_prompt_tokens": 200_000, "prompt": "0.000006", "completion": "0.0000225"},
                {"utc_start": 100, "utc_end": 400, "prompt": "0"},
            ],
        },
        supported_parameters=["tools", "response_format"],
        created=1_759_161_600,
        expiration_date="2027-09-29",
    )  # fmt: skip
    long = Price(6.0, 22.5, cached=0.3, cache_write=3.75)
    assert read("openrouter", {"data": [row]}) == [
        ModelInfo(
            "openrouter/anthropic/claude-sonnet-4.5", "openrouter", "Anthropic: Claude Sonnet 4.5", 1_000_000,
            ("text", "image", "file"), ("text",), ("tools", "response_format"),
            LongPrice(3.0, 15.0, cached=0.3, cache_write=3.75, above_tokens=200_000, above=long),
            "2025-09-29", "2027-09-29",
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("pricing", "price"),
    [
        ({"prompt": "0.0000011", "completion": "0.0000044"}, Price(1.1, 4.4)),  # no 1.0999999999999999
        ({"prompt": "-1", "completion": "-1"}, None),  # varies
        ({"prompt": "0", "completion": "0"}, Price(0.0, 0.0)),
        ({"prompt": "0", "completion": "0", "request": "0.005"}, Price(0.0, 0.0, usd_per_call=0.005)),
        ({"prompt": "0", "completion": "0", "image_output": "0.00003"}, None),  # billed by the image
        ({"prompt": "0.000001", "completion": "0.000002", "image_token": "0.000005"}, Price(1.0, 2.0, image=5.0)),
        ({"prompt": "0.000001", "completion": "0.000002", "discount": 0.5}, Price(1.0, 2.0)),  # is in the price already
        ({"prompt": "0.000001"}, None),
        ({"prompt": "NaN", "completion": "1"}, None),
        ({"prompt": "free", "completion": "0"}, None),
        ({"prompt": "9e999999", "completion": "0"}, None),
        ({"prompt": True, "completion": []}, None),
        ({}, None),
        (None, None),
    ],
)
def test_prices_of_openrouter(pricing: Any, price: Price | None) -> None:
    assert read("openrouter", {"data": [openrouter_row("a/b", pricing=pricing)]})[0].price == price


def test_openai_tells_when_a_model_goes() -> None:
    listed = {
        "object": "list",
        "data": [{"id": "gpt-4o", "object": "model", "created": 1_715_367_049, "shutdown_date": "2027-01-31"}],
    }
    assert read("openai", listed) == [ModelInfo("openai/gpt-4o", "openai", created="2024-05-10", retires="2027-01-31")]


def test_anthropic() -> None:
    can = {"image_input": {"supported": True}, "pdf_input": {"supported": False}}
    row = {
        "id": "claude-opus-5-5", "type": "model", "display_name": "Claude Opus 5.5", "created_at": "2026-09-01T00:00:00Z",
        "max_input_tokens": 1_000_000, "max_tokens": 64_000, "lifecycle": "active", "retires_at": None, "capabilities": can,
    }  # fmt: skip
    old = {
        "id": "claude-2",
        "created_at": "1970-01-01T00:00:00Z",
        "lifecycle": "retired",
        "deprecated_at": "2025-01-21T09:00:00Z",
    }
    new, gone = read("anthropic", {"data": [row, old], "has_more": False})
    assert (new.id, new.name, new.context_tokens) == ("anthropic/claude-opus-5-5", "Claude Opus 5.5", 1_000_000)
    assert (new.inputs, new.outputs, new.created, new.retires) == (("text", "image"), ("text",), "2026-09-01", "")
    assert "tools" in new.parameters and "response_format" not in new.parameters
    assert (gone.created, gone.retires) == ("", "2025-01-21")


def test_together_sends_a_bare_list_with_prices_per_million() -> None:
    price = {"base": 0, "hourly": 0, "finetune": 0, "input": 0.88, "output": 0.9, "cached_input": 0.4}
    row = {
        "id": "meta-llama/X",
        "object": "model",
        "created": 0,
        "type": "chat",
        "display_name": "X",
        "context_length": 131072,
    }
    rented = {"id": "me/tuned", "type": "chat", "pricing": {"input": 0, "output": 0, "hourly": 2}}
    assert read("together", [{**row, "pricing": price}, rented]) == [
        ModelInfo(
            "together/meta-llama/X", "together", "X", 131072, outputs=("text",), price=Price(0.88, 0.9, cached=0.4)
        ),
        ModelInfo("together/me/tuned", "together", outputs=("text",)),
    ]


def test_google_fireworks_and_servers_of_ones_own() -> None:
    google = {"data": [{"id": "models/gemini-3.8-flash", "object": "model", "owned_by": "google"}]}
    assert read("google", google) == [ModelInfo("google/gemini-3.8-flash", "google")]
    row = {
        "id": "accounts/fireworks/models/glm",
        "supports_chat": True,
        "supports_tools": True,
        "context_length": 202752,
    }
    (glm,) = read("fireworks", {"data": [row]})
    assert (glm.context_tokens, glm.inputs, glm.parameters) == (202752, ("text",), ("tools",))
    assert read("ollama", {"object": "list", "data": None}) == []
    llama, cloud = read(
        "ollama", {"data": [{"id": "llama3.2:1b", "created": 1_780_000_000}, {"id": "gpt-oss:120b-cloud"}]}
    )
    assert (llama.price, cloud.price) == (Price(0.0, 0.0), None)
    assert read("vllm", {"data": [{"id": "m", "max_model_len": 4096}]})[0].context_tokens == 4096
    assert read("llamacpp", {"data": [{"id": "m", "meta": {"n_ctx_train": 8192}}]})[0].context_tokens == 8192


def test_a_bad_row_is_left_out_and_the_rest_is_read() -> None:
    bad: list[Any] = [
        None,
        7,
        "x",
        [],
        {},
        {"id": None},
        {"id": ""},
        {"id": 5},
        {"id": "a\nb"},
        {"id": "a b"},
        {"id": "x" * 301},
    ]
    for name in REMOTES:
        assert [line.id for line in read(name, {"data": [*bad, {"id": "good"}, {"id": "good"}]})] == [f"{name}/good"]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from(["-1", "1e400", "2026-13-01"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
FIELDS = (
    "name", "display_name", "created", "created_at", "context_length", "architecture", "pricing", "top_provider", "meta",
    "supported_parameters", "expiration_date", "shutdown_date", "type", "capabilities", "lifecycle", "retires_at",
    "supports_chat",
)  # fmt: skip
PRICES = ("prompt", "completion", "request", "input", "output", "overrides", "min_prompt_tokens", "input_cache_read")
ROW = st.dictionaries(st.sampled_from(FIELDS), JSON | st.dictionaries(st.sampled_from(PRICES), JSON))


@given(payload=JSON | st.lists(ROW) | st.fixed_dictionaries({"data": JSON | st.lists(ROW)}))
def test_nothing_that_a_provider_sends_raises(payload: Any) -> None:
    for name in REMOTES:
        assert all(line.id.startswith(f"{name}/") for line in read(name, payload))


@given(row=ROW)
def test_a_row_with_an_id_is_always_a_line(row: dict[str, Any]) -> None:
    for name in REMOTES:
        (line,) = read(name, [{**row, "id": "m"}])
        assert line.context_tokens is None or line.context_tokens > 0
        if line.price is not None:
            assert line.price.input >= 0 and line.price.output >= 0


def test_the_plain_reader_reads_any_compatible_list() -> None:
    remote = Remote("mine", "Mine", "http://127.0.0.1:9", read_models=rows.plain_reader("mine"))
    assert remote.read_models is not None
    assert list(remote.read_models({"data": [{"id": "a/b:c"}]})) == [ModelInfo("mine/a/b:c", "mine")]
