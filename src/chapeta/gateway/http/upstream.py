"""A provider that is ready to be called: its address and its key made into the header lines of every request."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from chapeta import __version__
from chapeta.gateway import keys
from chapeta.gateway.fault import Fault
from chapeta.gateway.http.pool import Origin
from chapeta.gateway.providers.remote import Remote


@dataclass(frozen=True, slots=True)
class Upstream:
    """A provider that is ready to be called: where it listens, and the header lines of every request to it.

    `head` holds the key: it is never shown, and `secret` is what answers are searched for.
    """

    remote: Remote
    origin: Origin
    prefix: str
    head: bytes
    secret: bytes

    def __repr__(self) -> str:
        return f"Upstream({self.remote.name})"

    def request(self, path: str, body: bytes, accept: bytes = b"application/json") -> bytes:
        """The bytes of a POST."""
        start = f"POST {self.prefix}{path} HTTP/1.1\r\n".encode()
        return b"".join((
            start, self.head, b"accept: ", accept, b"\r\ncontent-length: ", str(len(body)).encode(), b"\r\n\r\n", body,
        ))  # fmt: skip


def upstream_of(remote: Remote) -> Upstream:
    """A provider with its key. Raises Fault 401 where it needs one and there is none."""
    secret = keys.find(remote)
    if secret is None and remote.needs_key:
        variables = " or ".join(remote.key_variables)
        remedy = f"Run `chapeta keys set {remote.name}`{f', or set {variables}' if variables else ''}."
        raise Fault(401, f"No {remote.title} key.", remedy, "no_provider_key", provider=remote.name)
    parts = urlsplit(remote.base_url)
    tls = parts.scheme == "https"
    origin = Origin(parts.hostname or "", parts.port or (443 if tls else 80), tls)
    value = secret.reveal().strip() if secret else ""
    if not value.isascii() or not value.isprintable():
        remedy = f"Set it anew: `chapeta keys set {remote.name}`."
        raise Fault(401, f"The {remote.title} key has characters that no key has.", remedy, "bad_provider_key")
    headers = [
        ("host", parts.netloc),
        *(remote.auth(value) if value else ()),
        ("content-type", "application/json"),
        ("user-agent", f"chapeta/{__version__}"),
        *remote.extra_headers,
    ]
    head = "".join(f"{name}: {value}\r\n" for name, value in headers).encode("latin-1")
    return Upstream(remote, origin, parts.path.rstrip("/"), head, value.encode("latin-1"))
