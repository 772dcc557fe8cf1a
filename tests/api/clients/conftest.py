"""One real server for all clients: OpenRouter and OpenAI behind it are stand-ins, the embedded model is itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from serving import Serving, point
from standin.server import KEY, Standin

NO_KEYCHAIN = "keyring.backends.fail.Keyring"


@dataclass(frozen=True)
class Service:
    """The address that clients are given; the providers behind it."""

    server: Serving
    openrouter: Standin
    openai: Standin

    @property
    def url(self) -> str:
        return self.server.url


@pytest.fixture(scope="package")
def started(tmp_path_factory: pytest.TempPathFactory, models_home: Path, embedded_model: Path) -> Iterator[Service]:
    home = tmp_path_factory.mktemp("clients") / "home"
    home.mkdir()
    if not os.environ.get("CHAPETA_TEST_MODEL"):
        (home / "models").symlink_to(models_home / "models")
    with Standin() as openrouter, Standin(dialect="openai") as openai:
        point(home, "openrouter", openrouter.url)
        point(home, "openai", openai.url)
        keys = {"OPENROUTER_API_KEY": KEY, "OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": ""}
        with Serving(home, PYTHON_KEYRING_BACKEND=NO_KEYCHAIN, **keys) as server:
            yield Service(server, openrouter, openai)


@pytest.fixture(autouse=True)
def service(started: Service) -> Iterator[Service]:
    """The one server, its providers in a good mood again after each test."""
    yield started
    for upstream in (started.openrouter, started.openai):
        upstream.say(None)
        upstream.clear_faults()
        upstream.release()
