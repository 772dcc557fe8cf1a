"""A key or address is tried before it is stored, at a stand-in that speaks OpenAI's protocol."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from chapeta.gateway import keys
from chapeta.gateway.keys import trial
from chapeta.gateway.keys.secret import Secret
from chapeta.gateway.providers import addresses
from chapeta.gateway.providers.addresses import Address, remote_of
from loopback import reply, serving
from standin.server import KEY, Standin


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHAPETA_HOME", str(tmp_path))
    return tmp_path


def tried(url: str, key: str | None = KEY) -> trial.Tried:
    address = Address("mine", url, key is not None)
    return trial.tried(address, remote_of(address), Secret(key) if key else None)


def test_a_good_key_is_stored_with_its_address() -> None:
    with Standin(KEY, "openai") as upstream:
        found = tried(upstream.url)
        assert found.result.state == "ok" and trial.refusal(found) is None
        assert trial.store(found)
        assert addresses.listed()["mine"].url == upstream.url
    secret = keys.find(addresses.remotes()["mine"])
    assert secret is not None and secret.reveal() == KEY
    assert trial.warnings(found) == []


def test_the_v1_that_was_forgotten_is_found() -> None:
    with serving({"/models": reply(404, b"{}"), "/v1/models": reply(200, b'{"data": [{"id": "a"}]}')}) as server:
        found = tried(server.url, None)
        trial.store(found)
        assert found.result.state == "ok" and addresses.listed()["mine"].url == f"{server.url}/v1"


def test_a_wrong_key_is_refused_with_the_providers_words() -> None:
    with Standin(KEY, "openai") as upstream:
        why = trial.refusal(tried(upstream.url, "sk-wrong-wrong-wrong"))
    assert why is not None and "refuses this key" in why.message and "wrong-wrong" not in str(why)


def test_an_address_that_wants_a_key_is_refused_without_one() -> None:
    with Standin(KEY, "openai") as upstream:
        why = trial.refusal(tried(upstream.url, None))
    assert why is not None and "wants a key" in why.message


def test_what_is_no_such_server_is_refused() -> None:
    with serving({"/models": reply(200, b"<html>")}) as server:
        why = trial.refusal(tried(server.url, None))
    assert why is not None and "is no OpenAI-compatible address" in why.message


def test_an_address_that_nobody_could_reach_is_stored_with_a_warning() -> None:
    with Standin(KEY, "openai") as upstream:
        url = upstream.url
    found = tried(url, None)
    assert trial.refusal(found) is None
    assert trial.store(found) == ""
    assert "mine" in addresses.listed()
    assert trial.warnings(found)[0].startswith("It could not be checked")


def test_a_key_that_is_there_already_is_not_stored_again() -> None:
    with Standin(KEY, "openai") as upstream:
        address = Address("mine", upstream.url)
        found = trial.tried(address, remote_of(address), Secret(KEY), is_new=False)
    assert trial.store(found) == ""
    assert keys.find(remote_of(address)) is None


def test_a_key_that_travels_in_the_open_is_warned_of() -> None:
    with Standin(KEY, "openai") as upstream:
        found = tried(upstream.url)
    away = dataclasses.replace(found, remote=dataclasses.replace(found.remote, base_url="http://models.example/v1"))
    assert trial.warnings(away) == ["The key will travel to http://models.example/v1 unencrypted."]
