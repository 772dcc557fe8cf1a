"""Who may come in: access keys, and no web page of somebody else's.

A page in the user's browser can send requests to loopback, and a name of its own can be made to point there. So where no
access key is needed, Host has to name this machine's loopback, and Origin, which only browsers send, this server itself.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from chapeta.gateway.core import Caller
from chapeta.gateway.fault import Fault
from chapeta.gateway.ledger.access import TOKEN_PREFIX, Gate

LOOPBACK = frozenset(("localhost", "127.0.0.1", "[::1]"))


class Guard:
    """Checks each request before its body is read. `open_to_loopback`: no key is needed, as nobody else can come."""

    def __init__(self, gate: Gate, open_to_loopback: bool) -> None:
        self._gate = gate
        self._open = open_to_loopback
        self._known: dict[bytes, bool] = {}
        self._us = Caller(local=True)
        self._callers: dict[str, Caller] = {}

    def check_origin(self, headers: Mapping[bytes, bytes]) -> None:
        """Raises Fault 403 for a request that another site's page has sent."""
        host = headers.get(b"host", b"")
        if self._open and not self._is_loopback(host):
            shown = host.decode("latin-1")[:100]
            remedy = "Use http://127.0.0.1, or issue an access key: `chapeta keys issue NAME`."
            raise Fault(403, f"The Host {shown!r} is not this machine's loopback.", remedy, "wrong_host")
        origin = headers.get(b"origin")
        if origin is not None and origin.partition(b"://")[2] != host:
            shown = origin.decode("latin-1")[:100]
            raise Fault(
                403, f"A page of {shown!r} may not call this server.", "Call it from a program.", "wrong_origin"
            )

    def admit(self, headers: Mapping[bytes, bytes]) -> Caller:
        """The caller behind a request. Raises Fault 401."""
        given = headers.get(b"authorization")
        token = None
        if given is not None:
            scheme, _, value = given.partition(b" ")
            token = value.strip().decode("latin-1") if scheme.lower() == b"bearer" else ""
            if self._open and not token.startswith(TOKEN_PREFIX):
                token = None  # OpenAI's clients always send some key: on loopback any word will do
        key = self._gate.admit(token, time.time())
        if key is None:
            return self._us
        caller = self._callers.get(key.name)
        if caller is None or caller.key is not key:
            caller = self._callers[key.name] = Caller(key)
        return caller

    def _is_loopback(self, host: bytes) -> bool:
        known = self._known.get(host)
        if known is None:
            if len(self._known) > 1000:
                self._known.clear()
            name = host.decode("latin-1").lower()
            name = name if name.endswith("]") else name.rpartition(":")[0] or name
            known = self._known[host] = name in LOOPBACK
        return known
