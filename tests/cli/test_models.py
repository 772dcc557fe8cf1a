"""`chapeta models`: local models first, the catalogue searched, shown and refreshed from a real server on loopback."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from command import chapeta

from chapeta.gateway.providers.table import REMOTES
from model_server import always, openrouter_pages, openrouter_row, serving

KEY = "sk-test-0123456789abcdef0123456789abcdef"


@pytest.fixture(autouse=True)
def data_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing pulled, nothing deployed, no key from outside."""
    monkeypatch.setenv("CHAPETA_HOME", str(tmp_path))
    for remote in REMOTES.values():
        for variable in remote.key_variables:
            monkeypatch.delenv(variable, raising=False)
    return tmp_path


def listen(data_directory: Path, **urls: str) -> None:
    """Lets providers listen elsewhere, as `chapeta` keeps it in the data directory."""
    entries = {name: {"url": url, "needs_key": REMOTES[name].needs_key} for name, url in urls.items()}
    (data_directory / "addresses.json").write_text(json.dumps(entries), encoding="utf-8")


def told(*words: str, code: int = 0, **variables: str) -> Any:
    done = chapeta("models", *words, "--json", **variables)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def refreshed(data_directory: Path, rows: list[dict[str, Any]]) -> None:
    with serving({"/v1/models": openrouter_pages(rows, 2)}) as server:
        listen(data_directory, openrouter=f"{server.url}/v1")
        assert chapeta("models", "refresh", "openrouter").returncode == 0


def test_without_words_the_local_ones_come_first_and_the_others_are_counted() -> None:
    done = chapeta("models", "list")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("smollm2-135m             SmolLM2-135M-Instruct")
    assert "models of providers are known (openrouter " in done.stdout
    assert "chapeta models list claude sonnet" in done.stdout
    listed = told("list")
    assert listed["found"] is None
    counts = {row["provider"]: row["models"] for row in listed["providers"]}
    assert counts["openai"] > 50 and counts["ollama"] == 0
    assert all(row["fetched_at"] is None for row in listed["providers"])


def test_words_search_offline() -> None:
    done = chapeta("models", "list", "GPT-4.1", "mini")
    assert done.returncode == 0, done.stderr
    assert "openai/gpt-4.1-mini" in done.stdout and "$0.40" in done.stdout and "$1.60" in done.stdout
    assert "openai/gpt-4o" not in done.stdout
    assert "the offline price list. `chapeta models refresh`" in done.stdout
    assert "smollm2" not in done.stdout
    here = chapeta("models", "list", "smollm2").stdout
    assert here.startswith("smollm2-135m ")


def test_filters_orders_and_limits() -> None:
    found = told("list", "--provider", "openai", "--max-usd", "1", "--min-context", "128k", "--sort", "price")["found"]
    assert found and all(row["price"]["output"] <= 1 and row["context_tokens"] >= 128_000 for row in found)
    costs = [3 * row["price"]["input"] + row["price"]["output"] for row in found]
    assert costs == sorted(costs)
    assert len(told("list", "--free", "--limit", "2")["found"]) == 2
    table = chapeta("models", "list", "--free", "--limit", "2").stdout
    assert "2 of " in table and "--all show more" in table


def test_refresh_fetches_all_pages_and_show_tells_everything(data_directory: Path) -> None:
    soon = (date.today() + timedelta(days=9)).isoformat()
    rows = [
        openrouter_row(
            "author/vision", architecture={"input_modalities": ["text", "image"], "output_modalities": ["text"]}
        ),
        openrouter_row("author/leaving", expiration_date=soon),
        openrouter_row("author/gone", expiration_date="2025-01-31"),
    ]
    refreshed(data_directory, rows)
    table = chapeta("models", "list", "author/").stdout
    assert f"{soon} (in 9 days)" in table
    assert "author/gone" not in table
    assert "text, image → text" in table
    assert "offline" not in table
    assert "2025-01-31 (retired)" in chapeta("models", "list", "author/", "--all").stdout
    assert [row["id"] for row in told("list", "--modality", "image")["found"]] == ["openrouter/author/vision"]
    shown = chapeta("models", "show", "openrouter/author/leaving").stdout
    for part in (
        "131,072 tokens",
        "$1.00 in, $4.00 out per million tokens",
        f"{soon} (in 9 days)",
        "temperature, max_tokens",
    ):
        assert part in shown
    listed = told("show", "openrouter/author/leaving", OPENROUTER_API_KEY=KEY)
    assert (listed["asked"], listed["note"], listed["local"]) == ("openrouter", "", None)
    assert listed["listed"]["price"]["output"] == 4.0


def test_an_id_that_is_not_listed_is_no_error() -> None:
    shown = chapeta("models", "show", "openrouter/someone/new-model", OPENROUTER_API_KEY=KEY)
    assert shown.returncode == 0, shown.stderr
    assert "asked        openrouter" in shown.stdout
    assert "not in the catalogue; it may still work" in shown.stdout
    assert told("show", "someone/new-model", OPENROUTER_API_KEY=KEY)["listed"] is None
    assert "chapeta keys set openai" in chapeta("models", "show", "ft:gpt-4o:me::1").stdout


def test_show_of_what_is_here() -> None:
    shown = chapeta("models", "show", "smollm2-135m")
    assert shown.returncode == 0, shown.stderr
    assert "Apache-2.0" in shown.stdout and "not in the catalogue" not in shown.stdout
    assert told("show", "smollm2-135m")["local"]["kind"] == "embedded"


def test_a_tuned_id_has_the_price_of_tuned_models() -> None:
    listed = told("show", "ft:gpt-4o-mini-2024-07-18:org::id", OPENAI_API_KEY=KEY)
    assert listed["asked"] == "openai"
    assert listed["listed"]["price"]["input"] == 0.3


def test_refresh_reports_each_provider_and_its_failures(data_directory: Path) -> None:
    refusal = always({"error": {"message": f"Incorrect API key provided: {KEY}"}}, 401)
    answers = {"/v1/models": openrouter_pages([openrouter_row("a/b")], 2), "/openai/models": refusal}
    with serving(answers) as server:
        nowhere = f"{server.url}/nothing"
        others = {name: nowhere for name in REMOTES if name not in ("openrouter", "openai")}
        listen(data_directory, openrouter=f"{server.url}/v1", openai=f"{server.url}/openai", **others)
        rows = {row["provider"]: row for row in told("refresh", OPENAI_API_KEY=KEY)["providers"]}
        named = chapeta("models", "refresh", "openai", OPENAI_API_KEY=KEY)
    assert (rows["openrouter"]["models"], rows["openrouter"]["reason"]) == (1, "")
    assert "chapeta keys set openai" in rows["openai"]["reason"]
    assert "chapeta keys set anthropic" in rows["anthropic"]["reason"]
    assert named.returncode == 6
    assert KEY not in json.dumps(rows) + named.stdout + named.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show",), "needs an id"),
        (("show", "a/b", "c/d"), "One name is taken, but 2 were given"),
        (("list", "--provider", "nobody"), "No provider is called 'nobody'. Known: openrouter, "),
        (("refresh", "nobody"), "No provider is called 'nobody'"),
        (("list", "--min-context", "many"), "'many' is no number of tokens"),
        (("list", "--limit", "0"), "--limit 0 shows nothing"),
        (("pull", "gpt-4"), "'gpt-4' cannot be pulled"),
    ],
)
def test_wrong_words_are_named(words: tuple[str, ...], said: str) -> None:
    done = chapeta("models", *words)
    assert done.returncode == 2
    assert said in done.stderr and "Traceback" not in done.stderr


def test_nothing_found_says_what_to_do() -> None:
    done = chapeta("models", "list", "no-such-model-anywhere")
    assert done.returncode == 0
    assert "No known model fits" in done.stdout


def test_ids_are_never_cut_on_a_narrow_terminal(data_directory: Path) -> None:
    name = "author/a-model-with-a-very-long-name-indeed"
    refreshed(data_directory, [openrouter_row(name)])
    table = chapeta("models", "list", "very-long", COLUMNS="60").stdout
    rows = table.rpartition("─")[2].splitlines()
    assert "".join(line.split()[0] for line in rows if line.strip()) == f"openrouter/{name}"
    assert f"openrouter/{name}" in chapeta("models", "list", "very-long").stdout


def test_a_damaged_copy_is_said_on_standard_error(data_directory: Path) -> None:
    (data_directory / "catalog").mkdir()
    (data_directory / "catalog" / "openai.json").write_text("{", encoding="utf-8")
    done = chapeta("models", "list", "gpt-4.1")
    assert done.returncode == 0
    assert "openai.json is damaged" in done.stderr
    assert "openai/gpt-4.1" in done.stdout
