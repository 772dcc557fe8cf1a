"""The user's own addresses: stored, laid over the known providers, refused where they are none."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from chapeta.deployments import deploy
from chapeta.errors import BadInput, Corrupt
from chapeta.gateway.providers import addresses
from chapeta.gateway.providers.addresses import Address
from chapeta.gateway.providers.remote import Remote
from chapeta.types import Candidate, Decoding, Price

KEY = "sk-test-v1-0123456789abcdef0123456789abcdef"
MAKER = Remote("maker", "Maker", "https://maker.invalid/v1", ("MAKER_API_KEY",), check_path="/key", price=None)
BUILTIN = {"maker": MAKER}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHAPETA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_an_own_address_becomes_a_provider(folder: Path) -> None:
    assert addresses.remotes(BUILTIN) == BUILTIN
    assert not folder.exists()
    added = addresses.add("my-vllm", " http://127.0.0.1:8000/v1/ ", price=Price(0.5, 1.5))
    assert added == Address("my-vllm", "http://127.0.0.1:8000/v1", True, Price(0.5, 1.5))
    assert addresses.listed() == {"my-vllm": added}
    remote = addresses.remotes(BUILTIN)["my-vllm"]
    assert (remote.name, remote.base_url) == ("my-vllm", "http://127.0.0.1:8000/v1")
    assert remote.key_variables == ("MY_VLLM_API_KEY",)
    assert addresses.price_of("my-vllm") == remote.price == Price(0.5, 1.5)
    assert remote.read_models is not None
    assert [line.id for line in remote.read_models({"data": [{"id": "llama"}]})] == ["my-vllm/llama"]
    assert json.loads((folder / "addresses.json").read_text()) == {
        "my-vllm": {
            "url": "http://127.0.0.1:8000/v1", "needs_key": True, "usd_per_mtok_input": 0.5, "usd_per_mtok_output": 1.5,
        }
    }  # fmt: skip


def test_a_known_provider_elsewhere_keeps_its_ways(folder: Path) -> None:
    addresses.add("maker", "https://eu.maker.invalid/v1")
    remote = addresses.remotes(BUILTIN)["maker"]
    assert (remote.base_url, remote.check_path, remote.title) == ("https://eu.maker.invalid/v1", "/key", "Maker")
    assert remote.key_variables == ("MAKER_API_KEY",)
    assert addresses.price_of("maker") is None
    assert addresses.remove("maker") is True
    assert addresses.remotes(BUILTIN)["maker"] == MAKER
    assert addresses.remove("maker") is False


def test_without_a_key(folder: Path) -> None:
    addresses.add("mine", "http://127.0.0.1:1/v1", needs_key=False)
    remote = addresses.remotes(BUILTIN)["mine"]
    assert (remote.needs_key, remote.key_variables, remote.price) == (False, (), None)


def test_the_known_providers_are_the_table(folder: Path) -> None:
    assert "openrouter" in addresses.remotes()
    addresses.add("ollama", "http://gpu.invalid:11434/v1", needs_key=False)
    assert addresses.remotes()["ollama"].base_url == "http://gpu.invalid:11434/v1"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://host/v1///", "https://host/v1"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
        ("https://host/v1/chat/completions", "https://host/v1"),
        ("https://host/api/v1/models/", "https://host/api/v1"),
        ("HTTP://host", "HTTP://host"),
    ],
)
def test_what_is_kept_of_an_address(given: str, kept: str, folder: Path) -> None:
    assert addresses.checked("x", given).url == kept


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "not an address"),
        ("127.0.0.1:8000", "not an address"),
        ("localhost:8000/v1", "not an address"),
        ("ftp://host/v1", "not an address"),
        ("file:///etc/passwd", "not an address"),
        ("http:///v1", "not an address"),
        ("http://host:port/v1", "host or port"),
        ("http://host:99999/v1", "host or port"),
        ("http://host:0/v1", "not an address"),
        ("http://[::1/v1", "host or port"),
        (f"https://me:{KEY}@host/v1", "user or password"),
        (f"https://{KEY}@host/v1", "user or password"),
        (f"https://host/v1?key={KEY}", "query"),
        (f"https://host/v1#{KEY}", "query"),
        ("https://host/a b", "characters"),
        ("https://host/a\nb", "characters"),
        ("https://höst/v1", "characters"),
    ],
)
def test_what_is_no_address_is_refused_without_its_secrets(url: str, why: str, folder: Path) -> None:
    with pytest.raises(BadInput, match=why) as caught:
        addresses.add("mine", url)
    assert KEY not in str(caught.value)
    assert not folder.exists()


@pytest.mark.parametrize("name", ["", "Mine", "a b", "-a", "a-", "a--b", "a/b", "../x", "ü", "a" * 41, "a_b", "a\n"])
def test_names_that_cannot_be(name: str, folder: Path) -> None:
    with pytest.raises(BadInput, match="lower-case letters, digits"):
        addresses.add(name, "http://host/v1")


def test_names_that_are_taken(folder: Path) -> None:
    for name in ("smollm2-135m", "embedded"):
        with pytest.raises(BadInput, match="embedded model"):
            addresses.add(name, "http://host/v1")
    deploy("support", Candidate("base", "smollm2-135m", Decoding(8)))
    with pytest.raises(BadInput, match="'support' is a deployment"):
        addresses.add("support", "http://host/v1")


@pytest.mark.parametrize("usd", [-1.0, float("nan"), float("inf")])
def test_prices_that_cannot_be(usd: float, folder: Path) -> None:
    with pytest.raises(BadInput, match="price"):
        addresses.add("mine", "http://host/v1", price=Price(usd, 1.0))


@pytest.mark.parametrize(
    "content",
    [
        "{",
        '{"mine": 5}',
        '{"mine": {}}',
        '{"mine": {"url": 5}}',
        '{"mine": {"url": "nothing"}}',
        '{"Mi ne": {"url": "http://host"}}',
        '{"mine": {"url": "http://host", "usd_per_mtok_input": "much", "usd_per_mtok_output": 1}}',
    ],
)
def test_a_file_that_was_edited_badly(content: str, folder: Path) -> None:
    folder.mkdir()
    (folder / "addresses.json").write_text(content)
    for call in (addresses.remotes, addresses.listed, lambda: addresses.price_of("mine")):
        with pytest.raises(Corrupt, match=r"addresses\.json"):
            call()
    assert (folder / "addresses.json").read_text() == content


def test_a_file_that_was_edited_well(folder: Path) -> None:
    folder.mkdir()
    (folder / "addresses.json").write_text('{"mine": {"url": "http://host:1/v1/"}}')
    assert addresses.listed() == {"mine": Address("mine", "http://host:1/v1")}


def test_the_stamp_changes_with_each_change(folder: Path) -> None:
    stamps = [addresses.stamp()]
    for n in range(5):
        addresses.add("mine", f"http://host:{n + 1}/v1")
        stamps.append(addresses.stamp())
    addresses.add("mine", "http://host:5/v1")
    assert addresses.stamp() == stamps[-1]
    addresses.remove("mine")
    assert len({*stamps, addresses.stamp()}) == 7


@pytest.mark.skipif(os.name == "nt", reason="modes of files are POSIX's")
def test_only_the_owner_may_read(folder: Path) -> None:
    addresses.add("mine", "http://host/v1")
    assert (folder / "addresses.json").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
