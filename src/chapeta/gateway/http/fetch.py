"""One small HTTP GET that brings JSON: for catalogues, checks of keys and addresses. Calls to models go another way.

Written on urllib, so that it honours HTTPS_PROXY and NO_PROXY and needs no library. What a caller gives as a header is
taken for a secret: it goes to the host that was asked and to no other, and appears in no error.
"""

from __future__ import annotations

import functools
import http.client
import ipaddress
import json
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Sequence
from email.message import Message
from typing import IO, Any
from urllib.parse import urlsplit

from chapeta import __version__
from chapeta.gateway.fault import Fault

LIMIT_BYTES = 32 << 20
PIECE_BYTES = 1 << 16
SPEAKS_FOR_ITSELF = (401, 402, 403, 408, 429)  # and 5xx: the status says enough, even on a load balancer's HTML page

Headers = Sequence[tuple[str, str]]


def get_json(url: str, headers: Headers = (), timeout_s: float = 15.0) -> tuple[int, Any]:
    """Status and decoded JSON of an address, for 4xx and 5xx as well.

    An error status such as 401 or 503 without a JSON body comes as `{"error": {"code": status, "message": reason}}`.
    `timeout_s` is for everything together: looking the name up, connecting, and reading.
    Raises Fault: 400 `bad_address`; 502 `unreachable`, 502 `not_json`; 504 `timeout`.
    """
    _check(url, headers)
    done: list[tuple[int, Any] | Exception] = []
    # a thread, because nothing else bounds the look-up of a name, several addresses of one name, and dripping headers
    thread = threading.Thread(target=_collect, args=(done, url, headers, timeout_s), daemon=True)
    thread.start()
    thread.join(timeout_s + 0.5)
    if not done:
        raise _timeout(url, timeout_s)
    result = done[0]
    if isinstance(result, Exception):
        raise result from None
    return result


def _collect(done: list[tuple[int, Any] | Exception], url: str, headers: Headers, timeout_s: float) -> None:
    """Puts the answer, or what went wrong, where the caller waits for it."""
    try:
        done.append(_fetch(url, headers, timeout_s))
    except Exception as error:  # noqa: BLE001 - it is raised again in the caller's thread
        done.append(error)


def _fetch(url: str, headers: Headers, timeout_s: float) -> tuple[int, Any]:
    deadline_s = time.monotonic() + timeout_s
    try:
        with _open(url, headers, timeout_s) as response:
            status, reason, where = response.status or 0, str(response.reason), response.url
            kind = response.headers.get_content_type()
            data = _read(response, deadline_s)
    except TimeoutError:
        raise _timeout(url, timeout_s) from None
    except urllib.error.URLError as error:
        if isinstance(error.reason, TimeoutError):
            raise _timeout(url, timeout_s) from None
        raise _unreachable(url, error.reason, headers) from None
    except (OSError, ValueError, http.client.HTTPException, zlib.error) as error:
        raise _unreachable(url, error, headers) from None
    try:
        return status, json.loads(data)
    except (ValueError, RecursionError):
        if status in SPEAKS_FOR_ITSELF or status >= 500:
            return status, {"error": {"code": status, "message": _safe(f"{reason} ({kind})", headers)}}
        raise _not_json(where or url, f"HTTP {status}, {kind}", headers) from None


def _open(url: str, headers: Headers, timeout_s: float) -> Any:
    """The response to a GET, whatever its status; redirects followed."""
    opener = urllib.request.OpenerDirector()  # not build_opener: that one would follow a redirect to ftp as well
    opener.addheaders = []
    for handler in (
        urllib.request.ProxyHandler(_proxies(url)),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=_trust(ssl.get_default_verify_paths())),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
        _Redirects(),
    ):
        opener.add_handler(handler)
    ours = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": f"chapeta/{__version__}"}
    request = urllib.request.Request(url, headers=ours)
    for name, value in headers:
        request.add_unredirected_header(name, value)  # not copied by a redirect: ours decides below
    try:
        return opener.open(request, timeout=timeout_s)
    except urllib.error.HTTPError as error:
        return error


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to http and https; the caller's headers go along only to the same scheme, host and port."""

    max_redirections = 5

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).scheme not in ("http", "https"):
            raise urllib.error.HTTPError(req.full_url, code, msg, headers, fp)
        following = super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]
        if following is not None and _origin(newurl) == _origin(req.full_url):
            for name, value in req.unredirected_hdrs.items():
                if name not in ("Host", "Proxy-authorization"):
                    following.add_unredirected_header(name, value)
        return following


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


@functools.lru_cache(maxsize=4)
def _trust(paths: ssl.DefaultVerifyPaths) -> ssl.SSLContext:
    """The system's certificates; certifi's where the system has none (Python from python.org on a Mac)."""
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"] and paths.cafile is None and paths.capath is None:
        try:
            import certifi
        except ImportError:
            return context
        context.load_verify_locations(certifi.where())
    return context


def _read(response: Any, deadline_s: float) -> bytes:
    """The body, unpacked, read until the deadline and up to the limit."""
    packed = response.headers.get("Content-Encoding", "").lower() == "gzip"
    unpack = zlib.decompressobj(wbits=31)
    data, received = bytearray(), 0
    while piece := response.read1(PIECE_BYTES):
        received += len(piece)
        data += unpack.decompress(piece, LIMIT_BYTES + 1 - len(data)) if packed else piece
        if len(data) > LIMIT_BYTES:
            raise OSError(f"it sends more than {LIMIT_BYTES >> 20} MB")
        if time.monotonic() > deadline_s:
            raise TimeoutError
    promised = response.headers.get("Content-Length", "")
    if (promised.isdecimal() and received < int(promised)) or (packed and data and not unpack.eof):
        raise OSError("the answer was cut off")
    return bytes(data)


def _check(url: str, headers: Headers) -> None:
    """Refuses what http.client would refuse later with the value in its message."""
    try:
        parts = urlsplit(url)
        good = (
            parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
        )
    except ValueError:
        good = False
    if not good or not url.isascii() or any(c <= " " or c == "\x7f" for c in url):
        raise Fault(400, "That is not an address.", "Give one like https://host:port/v1, in ASCII.", "bad_address")
    for name, value in headers:
        if not value.isascii() or not value.isprintable():
            raise Fault(
                400, f"The header {name} has characters that HTTP cannot carry.", "Set the key again.", "bad_header"
            )


def _unreachable(url: str, reason: object, headers: Headers) -> Fault:
    """What kept us from an answer, in words, and what to do."""
    proxy = _proxies(url).get(urlsplit(url).scheme, "").rpartition("@")[2]
    place = f"{_place(url)} through the proxy {proxy}" if proxy else _place(url)
    if isinstance(reason, http.client.BadStatusLine) and not isinstance(reason, ConnectionError):
        return _not_json(url, "it does not speak HTTP", headers)
    if isinstance(reason, (socket.gaierror, UnicodeError)):
        return _fault(f"The name of {place} was not found.", "Check the address and the network.")
    if isinstance(reason, ConnectionRefusedError):
        return _fault(f"{place} refused the connection.", "Is the server running, and is the port right?")
    if isinstance(reason, ssl.SSLCertVerificationError):
        why = _safe(reason.verify_message or "not verified", headers)
        return _fault(
            f"The certificate of {place} is not trusted ({why}).", "Set SSL_CERT_FILE to the right authority."
        )
    if isinstance(reason, ssl.SSLError):
        why = reason.reason or "no common protocol"
        return _fault(f"{place} does not answer in TLS ({why}).", "A server without TLS has an address with http://.")
    why = _safe(getattr(reason, "strerror", None) or str(reason) or type(reason).__name__, headers)
    return _fault(f"{place} cannot be reached ({why}).", "Check the address, the network and the proxy.")


def _not_json(url: str, what: str, headers: Headers) -> Fault:
    message = f"{_place(url)} answers, but not as a provider's API: {_safe(what, headers)}."
    return Fault(502, message, "Check the address; most end in /v1.", "not_json")


def _timeout(url: str, timeout_s: float) -> Fault:
    return Fault(504, f"{_place(url)} did not answer in {timeout_s:g} s.", "Try again later.", "timeout")


def _fault(message: str, remedy: str) -> Fault:
    return Fault(502, message, remedy, "unreachable")


def _place(url: str) -> str:
    """An address as it may be shown: without credentials and query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _safe(text: str, headers: Headers) -> str:
    """Words of a server on one line, without any header value that it may have sent back."""
    for _, value in headers:
        for word in (value, *(w for w in value.split() if len(w) >= 8)):
            text = text.replace(word, "…") if word else text
    return "".join(c if c.isprintable() else " " for c in text)[:200]


def _proxies(url: str) -> dict[str, str]:
    """The proxies for an address, by scheme. None for our own machine, which no proxy elsewhere could reach."""
    host = urlsplit(url).hostname or ""
    return {} if is_loopback(host) or urllib.request.proxy_bypass(host) else urllib.request.getproxies()


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by what it is called."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
