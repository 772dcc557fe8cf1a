"""Puts the pages on a server: what each is given, who may come in, and what browsers are told about it."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import FileResponse, PlainTextResponse
from nicegui import ui

from chapeta.chat.live import Live
from chapeta.chat.store import Chats
from chapeta.errors import ChapetaError
from chapeta.gateway import catalog
from chapeta.gateway.core import Core
from chapeta.gateway.ledger import Ledger
from chapeta.storage.database import Database
from chapeta.web import theme
from chapeta.web.pages import PAGES
from chapeta.web.quick import remember_signatures
from chapeta.web.services import Services

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
BUILD_S = 60.0  # how long a page may take to be built; what is slower fails, and a busy machine may need some seconds
ELSEWHERE = (b"cross-site", b"same-site")  # another site, or another port of this machine
LOOPBACK = frozenset(("localhost", "127.0.0.1", "[::1]"))
# Vue compiles templates in the browser, which needs 'unsafe-eval'; nothing may be fetched from elsewhere, or sent there, but
# pictures that the user has asked for
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob: https: http:; font-src 'self' data:; "
    "connect-src 'self' ws://127.0.0.1:* ws://localhost:*; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def pages(database: Database, warn: Callable[[str], None]) -> tuple[Fence, Services]:
    """The application with all pages, and what they work with."""
    ledger = Ledger(warn=warn)
    core = Core(ledger)
    chats = Chats(database)
    chats.recover()
    services = Services(database, ledger, core, chats, Live(core, chats), catalog.catalog(), ledger.close)
    application = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    application.get("/health")(lambda: {"app": "chapeta", "status": "ok"})
    application.get("/reports/{job_id}")(_report)
    theme.serve_assets()
    remember_signatures()
    for page in PAGES:
        _add(page.path, page.module, services)
    ui.run_with(
        application, title="Chapeta", favicon=theme.FAVICON, dark=None, tailwind=False, show_welcome_message=False,
        reconnect_timeout=10.0, binding_refresh_interval=None,
    )  # fmt: skip
    return Fence(application), services


def _add(path: str, module: str, services: Services) -> None:
    """A page's address; its module is loaded when it is first asked for."""
    if "{" in path:

        async def named(name: str) -> None:
            await importlib.import_module(f"chapeta.web.pages.{module}").show(services, name)

        ui.page(path, response_timeout=BUILD_S)(named)
    else:

        async def plain() -> None:
            await importlib.import_module(f"chapeta.web.pages.{module}").show(services)

        ui.page(path, response_timeout=BUILD_S)(plain)


def _report(job_id: str) -> Response:
    """The report that a run has drawn. It is framed without scripts, as what it quotes comes from models and files."""
    from chapeta.web.pages.specialise import report_of

    try:
        return FileResponse(
            report_of(job_id), media_type="text/html", headers={"content-security-policy": REPORT_POLICY}
        )
    except ChapetaError as error:
        return PlainTextResponse(str(error), status_code=404)


class Fence:
    """Around everything: only this machine's own pages come in, whatever name a web page gave this address.

    A page of another site can send requests and open WebSockets to loopback, and a name of its own can be made to point
    here (DNS rebinding); so Host has to be loopback's, and Origin, which browsers send, the very same. Requests without
    Origin, as for pictures and frames, say where they come from too; only a link that the user follows may be another's.
    """

    def __init__(self, inside: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._inside = inside

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._inside(scope, receive, send)
            return
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1").lower()
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        origin = headers.get(b"origin")
        if name not in LOOPBACK or (origin is not None and origin.decode("latin-1").lower() != f"http://{host}"):
            await _refuse(scope, send)
            return
        is_elsewhere = scope["type"] == "http" and headers.get(b"sec-fetch-site") in ELSEWHERE
        if is_elsewhere and headers.get(b"sec-fetch-dest") != b"document":
            await _refuse(scope, send)
            return

        async def with_policy(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(line for line in HEADERS if line[0] not in given)]
            await send(message)

        await self._inside(scope, receive, with_policy)


HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-dns-prefetch-control", b"off"),  # hosts of an answer's links are not looked up before a click
    (b"cross-origin-opener-policy", b"same-origin"),
)


REPORT_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"


async def _refuse(scope: Scope, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    body = b"This address is for this machine's own browser. Open http://127.0.0.1 with its port.\n"
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})
