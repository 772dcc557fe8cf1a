"""The app: one process that serves the pages, holds the gateway's core and looks after jobs, on loopback.

    port → database → core, live answers, jobs → pages (NiceGUI on uvicorn) → browser

What is slow to load (NiceGUI, SQLAlchemy) is loaded after the port is known to be free, and only here.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chapeta import config
from chapeta.errors import BadInput
from chapeta.files import disk_errors, write_atomic

if TYPE_CHECKING:
    from chapeta.jobs import Runner as JobRunner
    from chapeta.web.services import Services

GRACE_S = 3.0
QUERIES_AT_ONCE = 32  # mostly waiting ones; Python would have as few as six for all pages
LOADING_S = 15.0  # on a slow and busy machine
# python-engineio loads them for its clients, which we do not use, and does without: a quarter of the time that the app takes
# to load
NEVER_USED = ("aiohttp", "requests")
FORMER = "pydantic.v1"  # FastAPI asks it at each route whether a model is one of its, and does without
LATER_S = 2.0  # after which the first page is there
NAME = b'"app":"chapeta"'  # what a running app says of itself


@dataclass(frozen=True, slots=True)
class Opening:
    """How to open the app. port 0: any free one. host is a loopback address: there is no login yet."""

    host: str = "127.0.0.1"
    port: int = 8485


def is_running(how: Opening) -> bool:
    """Whether an app of ours answers at the address already; one that is still loading listens, and is waited for."""
    import http.client

    connection = http.client.HTTPConnection(how.host, how.port, timeout=LOADING_S)
    try:
        connection.request("GET", "/health")
        return NAME in connection.getresponse().read(1000)
    except (OSError, http.client.HTTPException):  # nobody is there, or another program
        return False
    finally:
        connection.close()


def serve(how: Opening, started: Callable[[str], None], warn: Callable[[str], None]) -> None:
    """Serves the app until it is interrupted. `started` gets its address once calls are taken, which wait until all is
    loaded, so that a browser starts meanwhile.

    Raises BadInput where the port cannot be had, or where an app has the same data open at another.
    """
    with disk_errors(config.home()):
        config.home().mkdir(parents=True, exist_ok=True, mode=0o700)  # chats and datasets are nobody else's business
    listening = _listen(how)
    address = f"http://{how.host}:{listening.getsockname()[1]}"
    os.environ.setdefault("NICEGUI_STORAGE_PATH", str(config.home() / "pages"))  # read when NiceGUI is imported
    with contextlib.closing(listening), _alone():
        write_atomic(config.home() / ".app", address + "\n", mode=0o600)  # also: the data directory can be written
        gc.disable()  # until all is loaded: it would look through what stays anyway
        _run(listening, address, started, warn)


def _run(listening: socket.socket, address: str, started: Callable[[str], None], warn: Callable[[str], None]) -> None:
    import uvicorn

    from chapeta.api.server import settle_memory
    from chapeta.storage.database import open_database

    with open_database() as database:
        started(address)
        sys.modules.setdefault(FORMER, None)  # type: ignore[arg-type] # as if it were not installed
        with _without(*NEVER_USED), _models_later():
            from chapeta.web.server import pages
        application, services = pages(database, warn)
        settle_memory()  # before there are pages, which it would keep for ever
        gc.enable()

        class Server(uvicorn.Server):
            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(QUERIES_AT_ONCE, "query"))
                await super().startup(sockets)
                self._later = asyncio.create_task(_later(services, at_the_end))

            async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
                self._later.cancel()
                await services.close()  # answers end while pages can still hear it
                await super().shutdown(sockets)

        settings = uvicorn.Config(
            application, log_config=None, access_log=False, server_header=False, proxy_headers=False,
            timeout_graceful_shutdown=int(GRACE_S), ws_max_size=64 * 1024 * 1024,
        )  # fmt: skip
        logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with (
            contextlib.ExitStack() as at_the_end,
            asyncio.Runner(loop_factory=_loop_factory()) as runner,
            contextlib.suppress(KeyboardInterrupt),
        ):
            runner.run(Server(settings).serve(sockets=[listening]))


async def _later(services: Services, at_the_end: contextlib.ExitStack) -> None:
    """What the first page does not wait for."""
    await asyncio.sleep(LATER_S)
    at_the_end.enter_context(await asyncio.to_thread(_jobs))
    await services.keep_house()


def _jobs() -> JobRunner:
    """In a thread, as it takes some tenths of a second to load."""
    from chapeta.jobs import Runner

    return Runner()


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """For one app at a time: a second one would take answers that come in the first for cut ones."""
    import portalocker

    with disk_errors(config.home()):
        lock = (config.home() / ".app.lock").open("a")
    with lock:
        try:
            portalocker.lock(lock, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
        except portalocker.AlreadyLocked:
            with contextlib.suppress(OSError):
                address = (config.home() / ".app").read_text(encoding="utf-8").strip()
                raise BadInput(f"The app is open already: {address}", "Use that one, or end it first.") from None
            raise BadInput("The app is open already.", "Use that one, or end it first.") from None
        yield


@contextlib.contextmanager
def _without(*names: str) -> Iterator[None]:
    """Imports go as if these packages, where they are not loaded yet, were not installed."""
    hidden: dict[str, Any] = dict.fromkeys(name for name in names if name not in sys.modules)
    sys.modules.update(hidden)
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextlib.contextmanager
def _models_later() -> Iterator[None]:
    """Pydantic models that are defined meanwhile are built when they are first used.

    FastAPI defines OpenAPI's, which the app never uses: building them took a fifth of the time that FastAPI loads.
    """
    from pydantic import BaseModel

    BaseModel.model_config["defer_build"] = True
    try:
        yield
    finally:
        del BaseModel.model_config["defer_build"]


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    from chapeta.api.server import loop_factory

    return loop_factory()


def _listen(how: Opening) -> socket.socket:
    from chapeta.api.server import is_loopback, listen

    if not is_loopback(how.host):
        raise BadInput(
            f"The app is for this machine alone, and {how.host} can be reached by others.",
            "Leave --host out. For other programs and people: `chapeta serve`, with access keys.",
        )
    return listen(how.host, how.port)
