"""What the tests of the server share: three stand-in providers, one server before them, and new data directories."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from callers import OPENAI_KEY, Canned, Providers, Upstream, checked

from chapeta.gateway.providers.table import REMOTES
from serving import Serving
from standin.server import Standin

NewHome = Callable[[], Path]


@pytest.fixture(scope="session")
def without_keys() -> Iterator[None]:
    """Keys of whoever runs the tests are not the tests' business."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for remote in REMOTES.values() for name in remote.key_variables]:
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def new_home(
    tmp_path_factory: pytest.TempPathFactory, models_home: Path, embedded_model: Path, without_keys: None
) -> NewHome:
    """Makes empty data directories with the embedded model in them, for servers that live longer than one test."""

    def make() -> Path:
        folder = tmp_path_factory.mktemp("home")
        if not os.environ.get("CHAPETA_TEST_MODEL"):
            (folder / "models").symlink_to(models_home / "models")
        return folder

    return make


@pytest.fixture(scope="session")
def providers() -> Iterator[Providers]:
    with (
        Standin() as router,
        Standin(OPENAI_KEY, "openai") as openai,
        Standin(None, "openai") as mine,
    ):
        canned = Canned()
        yield Providers(router, openai, mine, canned)
        canned.close()


@pytest.fixture(scope="session")
def shared_home(new_home: NewHome, providers: Providers) -> Path:
    """The data directory of the shared server."""
    home = new_home()
    providers.point(home)
    return home


@pytest.fixture(scope="session")
def shared_server(shared_home: Path, providers: Providers) -> Iterator[Serving]:
    with Serving(shared_home, **providers.variables) as server:
        yield server


@pytest.fixture
def server(shared_server: Serving) -> Iterator[Serving]:
    """The shared server, which has to outlive each test without a word of Python's."""
    yield from checked(shared_server)


@pytest.fixture
def router(providers: Providers) -> Upstream:
    """What stands in for OpenRouter, with a clean slate."""
    return Upstream(providers.router)


@pytest.fixture
def openai(providers: Providers) -> Upstream:
    """What stands in for OpenAI, with a clean slate."""
    return Upstream(providers.openai)


@pytest.fixture
def mine(providers: Providers) -> Upstream:
    """A server of the user's own that takes no key: `mine/…` (nobody knows its prices), `priced/…` and `together/…`."""
    return Upstream(providers.mine)


@pytest.fixture
def canned(providers: Providers) -> Canned:
    """A provider that answers `canned/…` with the bytes that the test gives it."""
    return providers.canned
