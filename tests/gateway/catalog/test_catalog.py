"""The catalogue: lists fetched over real HTTP, kept and read back; the offline price list; looking up and searching."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from chapeta.errors import Missing
from chapeta.gateway.catalog import Catalog, RefreshResult, catalog, context_tokens_of, price_of, refresh, snapshot
from chapeta.gateway.catalog.cost import LongPrice, cost_usd
from chapeta.gateway.catalog.search import Wanted, search
from chapeta.gateway.http.fetch import get_json
from chapeta.gateway.keys.secret import Secret
from chapeta.gateway.providers.remote import Remote
from chapeta.gateway.providers.table import REMOTES
from chapeta.types import ModelInfo, Price
from model_server import ModelServer, always, openrouter_pages, openrouter_row, serving

KEY = "sk-test-0123456789abcdef0123456789abcdef"


class Given:
    """Keys as a test gives them."""

    def __init__(self, **values: str) -> None:
        self.values = values

    def find(self, remote: Remote) -> Secret | None:
        value = self.values.get(remote.name)
        return Secret(value) if value else None


@pytest.fixture(autouse=True)
def data_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHAPETA_HOME", str(tmp_path))
    return tmp_path


def at(server: ModelServer, *names: str) -> dict[str, Remote]:
    """Known providers that listen at the server, each under a path of its own."""
    return {name: replace(REMOTES[name], base_url=f"{server.url}/{name}") for name in names}


def test_pages_of_openrouter_are_followed_without_a_key() -> None:
    rows = [openrouter_row(f"author/model-{n}") for n in range(7)]
    with serving({"/openrouter/models": openrouter_pages(rows, 3)}) as server:
        remotes = at(server, "openrouter")
        (result,) = refresh(remotes, Given(), get_json)
        known = Catalog(remotes)
    assert (result.models, result.reason) == (7, "")
    assert [line.id for line in known.models()] == [f"openrouter/author/model-{n}" for n in range(7)]
    assert known.list_of("openrouter").fetched_at == result.fetched_at
    assert datetime.fromisoformat(result.fetched_at).tzinfo is not None
    assert [(query["output_modalities"], query.get("offset")) for _, query, _ in server.seen] == [
        ("all", None), ("all", "3"), ("all", "6"),
    ]  # fmt: skip
    assert all("authorization" not in headers for _, _, headers in server.seen)


def test_pages_of_anthropic_are_followed_with_its_own_headers() -> None:
    def answer(query: dict[str, str]) -> tuple[int, Any]:
        ids = ["claude-a", "claude-b", "claude-c"]
        start = ids.index(query["after_id"]) + 1 if "after_id" in query else 0
        page = ids[start : start + 2]
        return 200, {"data": [{"id": id} for id in page], "has_more": start + 2 < len(ids), "last_id": page[-1]}

    with serving({"/anthropic/models": answer}) as server:
        (result,) = refresh(at(server, "anthropic"), Given(anthropic=KEY), get_json)
    assert result.models == 3
    assert all(headers["x-api-key"] == KEY and "authorization" not in headers for _, _, headers in server.seen)


def test_a_list_that_never_ends_is_left_after_its_repeats() -> None:
    page = {"data": [openrouter_row("a/b")], "links": {"next": "/models?offset=0"}}
    with serving({"/openrouter/models": always(page)}) as server:
        (result,) = refresh(at(server, "openrouter"), Given(), get_json)
    assert result.models == 1
    assert len(server.seen) == 2


def test_a_next_page_elsewhere_gets_no_key() -> None:
    """Only the query of the link is used, so that a key goes nowhere but to the address it is for."""
    with serving({}) as other:
        page = {"data": [openrouter_row("a/b")], "links": {"next": f"{other.url}/steal?offset=1"}}
        with serving({"/openrouter/models": always(page)}) as server:
            refresh(at(server, "openrouter"), Given(openrouter=KEY), get_json)
    assert other.seen == []
    assert {path for path, _, _ in server.seen} == {"/openrouter/models"}


def test_a_provider_that_fails_keeps_its_list_and_says_why() -> None:
    heard: list[RefreshResult] = []
    with serving(
        {"/openai/models": always({"data": [{"id": "gpt-x"}]}), "/together/models": always([{"id": "a/b"}])}
    ) as server:
        remotes, keys = at(server, "openai", "together"), Given(openai=KEY, together=KEY)
        before = refresh(remotes, keys, get_json)
        server.answer("/openai/models", always({"error": {"message": f"bad key {KEY[:20]}, {KEY}"}}, 401))
        after = refresh(remotes, keys, get_json, heard.append)
    assert [result.reason for result in before] == ["", ""]
    failed, fine = after
    assert (failed.models, failed.fetched_at) == (1, before[0].fetched_at)
    assert "OpenAI says: bad key" in failed.reason and "chapeta keys set openai" in failed.reason
    assert KEY[:20] not in failed.reason
    assert fine.reason == ""
    assert sorted(result.provider for result in heard) == ["openai", "together"]
    assert Catalog(remotes).find("openai/gpt-x") is not None


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (always({"hello": 1}), "not with a list of models"),
        (always({"data": []}), "a list without a model"),
        (always({"error": {"message": "overloaded"}}, 503), "OpenAI says: overloaded. Try again later."),
        (always([{"error": {"code": 400, "message": "API key not valid"}}], 400), "API key not valid"),
    ],
)
def test_what_is_no_list_changes_nothing(answer: Any, said: str, data_directory: Path) -> None:
    with serving({"/openai/models": answer}) as server:
        (result,) = refresh(at(server, "openai"), Given(openai=KEY), get_json)
    assert said in result.reason
    assert (result.models, result.fetched_at) == (0, "")
    assert not (data_directory / "catalog").exists()


def test_without_a_key_nobody_is_asked_and_a_server_that_is_off_is_named() -> None:
    with serving({}) as server:
        remotes = at(server, "openai", "ollama")
    off = {**remotes, "ollama": replace(remotes["ollama"], base_url=server.url)}
    openai, ollama = refresh(off, Given(), get_json)
    assert (openai.asked, openai.reason) == (False, "No key. Run `chapeta keys set openai`.")
    assert ollama.reason == f"Ollama does not run at {server.url}."


class Locked:
    """A keychain that cannot be opened."""

    def find(self, remote: Remote) -> Secret | None:
        raise Missing(f"The key of {remote.name} is locked in.", "Unlock it.")


def test_a_key_that_cannot_be_read_stops_only_whose_list_needs_it() -> None:
    with serving({"/openrouter/models": openrouter_pages([openrouter_row("a/b")], 9)}) as server:
        openrouter, openai = refresh(at(server, "openrouter", "openai"), Locked(), get_json)
    assert (openrouter.models, openrouter.reason) == (1, "")
    assert (openai.asked, openai.reason) == (False, "The key of openai is locked in. Unlock it.")


def test_an_empty_server_of_ones_own_is_no_failure() -> None:
    with serving({"/ollama/models": always({"object": "list", "data": None})}) as server:
        (result,) = refresh(at(server, "ollama"), Given(), get_json)
    assert (result.models, result.reason) == (0, "")
    assert result.fetched_at


def test_what_a_list_does_not_tell_comes_from_the_price_list() -> None:
    """OpenAI's list has ids only; the price list says what they cost, and by which price an own tuned model goes."""
    rows = [{"id": "gpt-4.1-mini-2025-04-14"}, {"id": "ft:gpt-4o-mini-2024-07-18:org::x"}, {"id": "no-such"}]
    with serving({"/openai/models": always({"data": rows})}) as server:
        remotes = at(server, "openai")
        refresh(remotes, Given(openai=KEY), get_json)
    mini, tuned, unknown = Catalog(remotes).models()
    assert (mini.context_tokens, mini.price) == (1_000_000, Price(0.4, 1.6, cached=0.1))
    assert tuned.price == Price(0.3, 1.2)
    assert unknown.price is None


def test_long_prices_survive_the_file() -> None:
    override = {"min_prompt_tokens": 200_000, "prompt": "0.000003"}
    pricing = {"prompt": "0.000001", "completion": "0.000002", "overrides": [override]}
    rows = [
        openrouter_row("a/long", pricing=pricing),
        openrouter_row("a/plain"),
        openrouter_row("a/varies", pricing={"prompt": "-1"}),
    ]
    with serving({"/openrouter/models": openrouter_pages(rows, 9)}) as server:
        remotes = at(server, "openrouter")
        refresh(remotes, Given(), get_json)
    known = Catalog(remotes)
    assert known.price_of("openrouter/a/long") == LongPrice(1.0, 2.0, above_tokens=200_000, above=Price(3.0, 2.0))
    assert known.price_of("openrouter/a/plain") == Price(1.0, 4.0)
    assert known.price_of("openrouter/a/varies") is None


def test_a_damaged_copy_is_told_and_not_used(data_directory: Path) -> None:
    (data_directory / "catalog").mkdir()
    for content in (b"{", b"[]", b'{"fetched_at": 5}', b"\xff\xfe"):
        (data_directory / "catalog" / "openai.json").write_bytes(content)
        known = catalog()
        assert known.price_of("openai/gpt-4.1") is not None
        assert "openai.json is damaged" in known.list_of("openai").problem


def test_reading_a_live_copy_loads_no_price_list() -> None:
    rows = [openrouter_row(f"author/model-{n}") for n in range(3)]
    with serving({"/openrouter/models": openrouter_pages(rows, 9)}) as server:
        refresh(at(server, "openrouter"), Given(), get_json)
    script = (
        "import sys; from chapeta.gateway.catalog import catalog; known = catalog();"
        "print(known.price_of('openrouter/author/model-1').input, len(known.list_of('openrouter').lines),"
        "[name for name in sys.modules if name.startswith('genai_prices')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.split() == ["1.0", "3", "[]"]


def test_a_thousand_live_models_are_read_and_searched_in_no_time() -> None:
    rows = [openrouter_row(f"author/model-{n}", created=1_700_000_000 + n) for n in range(1000)]
    with serving({"/openrouter/models": openrouter_pages(rows, 1000)}) as server:
        remotes = at(server, "openrouter")
        refresh(remotes, Given(), get_json)
    start = time.perf_counter()
    found = search(Catalog(remotes).models(), Wanted(words=("model-9",)), date(2026, 11, 22), "created")
    assert time.perf_counter() - start < 0.5
    assert len(found) == 111


def test_the_offline_list_has_every_provider_with_prices() -> None:
    for name in ("openrouter", "openai", "anthropic", "google", "together", "fireworks"):
        lines = snapshot.models_of(REMOTES[name])
        assert sum(line.price is not None for line in lines) > 20
        assert all(line.id.startswith(f"{name}/") and line.provider == name for line in lines)
    assert snapshot.models_of(REMOTES["ollama"]) == ()


def test_the_offline_list_leaves_out_what_others_sell() -> None:
    ids = [line.id for line in catalog().models()]
    assert not [id for id in ids if id.startswith(("google/claude", "openai/gpt-oss", "openai/ft:"))]
    assert all(id.startswith("fireworks/accounts/") for id in ids if id.startswith("fireworks/"))
    assert all(id.count("/") >= 2 for id in ids if id.startswith("openrouter/"))


def test_free_is_only_what_is_called_free() -> None:
    assert price_of("openrouter/openai/gpt-oss-20b:free") == Price(0.0, 0.0)
    assert price_of("openai/whisper-1") is None  # by the hour
    assert price_of("openai/omni-moderation-latest") is None  # not told


@pytest.mark.parametrize(
    ("id", "price"),
    [
        ("openai/gpt-4.1", Price(2.0, 8.0, cached=0.5)),
        ("openai/gpt-4.1-2025-04-14", Price(2.0, 8.0, cached=0.5)),
        ("openai/ft:gpt-4o-2024-08-06:org::id", Price(3.75, 15.0)),
        ("anthropic/claude-3-haiku-20240307", Price(0.25, 1.25, cached=0.03, cache_write=0.3)),
        ("openai/text-embedding-3-small", Price(0.02, 0.0)),
        ("openai/ft:no-such-base:org::id", None),
        ("openai/nobody", None),
        ("openrouter/a/b", None),
        ("nobody/a", None),
        ("openai", None),
        ("openai/", None),
        ("", None),
        ("ollama/whatever", Price(0.0, 0.0)),
    ],
)
def test_prices_by_id(id: str, price: Price | None) -> None:
    assert price_of(id) == price


def test_an_undated_line_of_a_live_copy_answers_for_its_dated_ids() -> None:
    with serving(
        {"/together/models": always([{"id": "a/b", "context_length": 9, "pricing": {"input": 1, "output": 2}}])}
    ) as server:
        remotes = at(server, "together")
        refresh(remotes, Given(together=KEY), get_json)
    known = Catalog(remotes)
    for id in ("together/a/b-2026-01-31", "together/a/b-20260131", "together/a/b"):
        line = known.find(id)
        assert line is not None and (line.id, line.price) == (id, Price(1.0, 2.0))
    assert known.find("together/a/b-0131") is None
    assert known.find("together/a/b-mine") is None


def test_context_windows() -> None:
    assert context_tokens_of("openai/gpt-4.1") == 1_000_000
    assert context_tokens_of("openai/nobody") is None


def test_costs_agree_with_the_price_lists_own_arithmetic() -> None:
    """The reference is genai-prices itself: plain, cached and long prompts at every model that is billed by tokens."""
    from genai_prices import Usage, calc_price

    now, compared = datetime.now(UTC), 0
    for name in ("openai", "anthropic", "google"):
        for line in snapshot.models_of(REMOTES[name]):
            if line.price is None or not line.price.output:
                continue
            for tokens_in, cached in ((1000, 0), (1000, 400), (300_000, 1000)):
                usage = {
                    "prompt_tokens": tokens_in,
                    "completion_tokens": 50,
                    "prompt_tokens_details": {"cached_tokens": cached},
                }
                theirs = Usage(input_tokens=tokens_in, cache_read_tokens=cached, output_tokens=50)
                model = line.id.removeprefix(f"{name}/")
                reference = calc_price(theirs, model, provider_id=name, genai_request_timestamp=now).total_price
                assert isinstance(reference, Decimal)
                if cached and line.price.cached is None:
                    continue  # they bill nothing for it, we bill it as plain
                assert cost_usd(usage, line.price) == pytest.approx(float(reference)), line.id
                compared += 1
    assert compared > 300


TODAY = date(2026, 11, 22)
LINES = [
    ModelInfo("a/one", "a", "First", 1000, ("text", "image"), ("text",), ("tools",), Price(1.0, 5.0), "2026-01-01"),
    ModelInfo("a/two", "a", "Second", 200_000, ("text",), ("image",), (), Price(0.0, 0.0), "2026-05-01", "2026-11-22"),
    ModelInfo("b/three", "b", "Third One", None, (), (), (), None, "", "2026-11-21"),
    ModelInfo("b/Four", "b", "", 8000, ("text",), ("text",), ("tools", "seed"), Price(2.0, 1.0), "2026-03-01"),
]


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (Wanted(), ["a/one", "a/two", "b/Four"]),
        (Wanted(retired=True), ["a/one", "a/two", "b/Four", "b/three"]),
        (Wanted(words=("ONE",), retired=True), ["a/one", "b/three"]),
        (Wanted(words=("one", "b/"), retired=True), ["b/three"]),
        (Wanted(provider="b"), ["b/Four"]),
        (Wanted(modality="image"), ["a/one", "a/two"]),
        (Wanted(parameter="tools"), ["a/one", "b/Four"]),
        (Wanted(free=True), ["a/two"]),
        (Wanted(max_usd_per_mtok=1.0), ["a/two", "b/Four"]),
        (Wanted(min_context_tokens=8000), ["a/two", "b/Four"]),
        (Wanted(words=("none",)), []),
    ],
)
def test_searching(wanted: Wanted, ids: list[str]) -> None:
    assert [line.id for line in search(LINES, wanted, TODAY)] == ids


@pytest.mark.parametrize(
    ("sort", "ids"),
    [
        ("name", ["a/one", "a/two", "b/Four", "b/three"]),
        ("price", ["a/two", "b/Four", "a/one", "b/three"]),
        ("context", ["a/two", "b/Four", "a/one", "b/three"]),
        ("created", ["a/two", "b/Four", "a/one", "b/three"]),
    ],
)
def test_orders_have_the_unknown_last(sort: str, ids: list[str]) -> None:
    assert [line.id for line in search(LINES, Wanted(retired=True), TODAY, sort)] == ids


def test_a_copy_is_plain_json(data_directory: Path) -> None:
    with serving({"/openrouter/models": openrouter_pages([openrouter_row("a/b")], 9)}) as server:
        refresh(at(server, "openrouter"), Given(), get_json)
    saved = json.loads((data_directory / "catalog" / "openrouter.json").read_text(encoding="utf-8"))
    assert saved["models"][0]["id"] == "openrouter/a/b"
    assert [path.name for path in (data_directory / "catalog").iterdir()] == ["openrouter.json"]
