"""Serves the gateway: opens the port, then uvicorn with Node's HTTP parser and libuv's event loop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import logging
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from chapeta import config
from chapeta.errors import BadInput

if TYPE_CHECKING:
    from chapeta.api.connection import Connection
    from chapeta.gateway.ledger import Ledger
    from chapeta.gateway.ledger.access import Gate

REFRESH_S = 1.0
GRACE_S = 5.0  # calls in flight may finish after the first Ctrl-C


@dataclass(frozen=True, slots=True)
class Serving:
    """How to serve. port 0: any free one. require_key: on loopback, too. keep_content: prompts and answers in the ledger."""

    host: str = "127.0.0.1"
    port: int = 8484
    require_key: bool = False
    keep_content: bool = False
    answer_s: float = 600.0


def serve(how: Serving, started: Callable[[str], None], warn: Callable[[str], None]) -> None:
    """Serves until it is interrupted. `started` gets the address once calls are taken.

    Raises BadInput where the port or the address cannot be had, or where others could come in and no access key is issued.
    """
    listening = listen(how.host, how.port)
    with contextlib.closing(listening):
        _run(how, listening, started, warn)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _run(how: Serving, listening: socket.socket, started: Callable[[str], None], warn: Callable[[str], None]) -> None:
    import uvicorn

    from chapeta.api.app import App
    from chapeta.api.connection import Connection
    from chapeta.api.guard import Guard
    from chapeta.gateway.core import Core

    ledger, gate = _opened(how, warn)

    async def main() -> None:
        core = Core(ledger, gate, keep_content=how.keep_content, answer_s=how.answer_s)
        app = App(core, Guard(gate, open_to_loopback=not gate.required))
        loop = asyncio.get_running_loop()

        def connection(server_state: Any, **_: object) -> Connection:
            return Connection(app, server_state, loop)

        def look() -> None:
            core.router.forget()
            for one in tuple(server.server_state.connections):
                cast(Connection, one).sweep(loop.time())

        settings = uvicorn.Config(
            cast(Any, app), interface="asgi3", http=cast(type[asyncio.Protocol], connection), ws="none", lifespan="off",
            log_config=None, access_log=False, proxy_headers=False, timeout_graceful_shutdown=int(GRACE_S),
            backlog=2048,
        )  # fmt: skip
        server = _Server(settings, lambda: started(_address(how.host, listening)))
        refreshing = asyncio.create_task(_every_second(look))
        try:
            await server.serve(sockets=[listening])
        finally:
            refreshing.cancel()
            await core.close()

    class _Server(uvicorn.Server):
        def __init__(self, settings: uvicorn.Config, ready: Callable[[], None]) -> None:
            super().__init__(settings)
            self._ready = ready

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            settle_memory()
            self._ready()

    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)  # calls that a stop has ended are nothing to report
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: uvicorn raises it again at its end
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner, contextlib.suppress(KeyboardInterrupt):
            runner.run(main())
    finally:
        ledger.close()


def _opened(how: Serving, warn: Callable[[str], None]) -> tuple[Ledger, Gate]:
    """The ledger, and the gate that it fills. Raises BadInput where others could come in and no access key is issued."""
    from chapeta.gateway.ledger import Ledger
    from chapeta.gateway.ledger.access import Gate

    gate = Gate(required=how.require_key or not is_loopback(how.host), warn=warn)
    ledger = Ledger(config.database_url(), gate=gate, warn=warn)
    ledger.open()
    if gate.required and not gate.has_keys:
        ledger.close()
        where = f"{how.host} can be reached by others" if not is_loopback(how.host) else "--require-key is given"
        raise BadInput(f"{where}, and no access key is issued.", "Issue one first: `chapeta keys issue NAME`.")
    return ledger, gate


def settle_memory() -> None:
    """Tells the garbage collector that what is loaded now stays, and to look less often: calls leave hardly any cycles.

    By default it walks young objects every 700 allocations, several times a call, and all of SQLAlchemy now and then.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """libuv's event loop where there is one (not on Windows)."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


async def _every_second(look: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(REFRESH_S)
        with contextlib.suppress(OSError):
            look()


def listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(2048)
    except UnicodeError:
        listening.close()
        raise BadInput(f"'{host[:100]}' is no address.", "Give one, such as 127.0.0.1.") from None
    except OverflowError:
        raise BadInput(f"{port} is not a port.", "Give one between 0 (any free one) and 65535.") from None
    except OSError as error:
        listening.close()
        raise BadInput(
            f"Cannot listen on {host}, port {port} ({error.strerror}).",
            "Give another with --port N, or --port 0 for a free one.",
        ) from None
    listening.setblocking(False)
    return listening


def _address(host: str, listening: socket.socket) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listening.getsockname()[1]}/v1"
