"""The small GET, against real servers on loopback: JSON, errors, redirects, proxies, TLS, and what never leaks."""

from __future__ import annotations

import contextlib
import datetime
import gzip
import ipaddress
import json
import socket
import ssl
import threading
import time
import traceback
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from chapeta.gateway.fault import Fault
from chapeta.gateway.http.fetch import LIMIT_BYTES, get_json
from loopback import reply, serving

KEY = "sk-test-v1-0123456789abcdef0123456789abcdef"
AUTH = (("authorization", f"Bearer {KEY}"),)


def fault_of(url: str, timeout_s: float = 5.0) -> Fault:
    """What goes wrong; the key is not in it, nor in the traceback that somebody may log."""
    with pytest.raises(Fault) as caught:
        get_json(url, AUTH, timeout_s)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(caught.value.to_json())
    assert KEY not in shown and KEY[8:] not in shown
    return caught.value


def test_json_comes_with_its_status_and_the_headers_arrive() -> None:
    packed = reply(200, gzip.compress(json.dumps({"a": "é"}).encode()), Content_Encoding="gzip")
    answers = {"/ok": reply(200, b'\xef\xbb\xbf{"data": [1]}'), "/packed": packed}
    answers["/no"] = reply(401, b'{"error": {"code": 401, "message": "No"}}')
    with serving(answers) as server:
        assert get_json(f"{server.url}/packed") == (200, {"a": "é"})
        assert get_json(f"{server.url}/no?page=2", AUTH) == (401, {"error": {"code": 401, "message": "No"}})
        assert get_json(f"{server.url}/ok", AUTH) == (200, {"data": [1]})
        path, headers = server.seen[1]
        assert path == "/no?page=2"
        assert headers["authorization"] == f"Bearer {KEY}"
        assert headers["user-agent"].startswith("chapeta/")


def test_a_status_that_speaks_for_itself_needs_no_json() -> None:
    page = b"<html>busy</html>"
    with serving({"/busy": reply(503, page, "text/html"), "/out": reply(401, b"", "text/plain")}) as server:
        assert get_json(f"{server.url}/busy") == (
            503, {"error": {"code": 503, "message": "Service Unavailable (text/html)"}},
        )  # fmt: skip
        assert get_json(f"{server.url}/out")[0] == 401


@pytest.mark.parametrize(
    "body", [b"<html>hello</html>", b"", b"[" * 200_000, b"\xff\xfe\x00", b"9" * 5000], ids=range(5)
)
def test_something_else_than_json_is_not_a_provider(body: bytes) -> None:
    with serving({"/": reply(200, body, "text/html")}) as server:
        fault = fault_of(f"{server.url}/")
    assert (fault.status, fault.code) == (502, "not_json")
    assert f"{server.url}/ answers, but not as a provider's API: HTTP 200, text/html." in str(fault)


def test_a_server_that_speaks_no_http_and_one_that_hangs_up() -> None:
    for said, code in ((b"SSH-2.0-OpenSSH_9.2\r\n", "not_json"), (b"", "unreachable")):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=answer_once, args=(listener, said))
            thread.start()
            fault = fault_of(f"http://127.0.0.1:{listener.getsockname()[1]}")
            thread.join()
        assert (fault.status, fault.code) == (502, code)


def answer_once(listener: socket.socket, said: bytes) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(said)


def test_a_body_that_is_cut_or_has_no_end() -> None:
    cut = reply(200, b'{"a": 1', Content_Length="4000")
    bomb = reply(200, gzip.compress(b" " * (LIMIT_BYTES + 2)), Content_Encoding="gzip")
    with serving({"/cut": cut, "/bomb": bomb}) as server:
        assert "was cut off" in str(fault_of(f"{server.url}/cut"))
        assert "more than 32 MB" in str(fault_of(f"{server.url}/bomb"))


def test_nothing_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()[1]
    fault = fault_of(f"http://127.0.0.1:{closed}/v1")
    assert (fault.status, fault.code) == (502, "unreachable")
    assert f"http://127.0.0.1:{closed}/v1 refused the connection." in str(fault)
    assert "was not found" in str(fault_of("http://no-such-host.invalid/v1"))
    assert "was not found" in str(fault_of(f"http://{'a' * 70}.invalid/v1"))


def test_time_is_limited_as_a_whole() -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        with contextlib.suppress(OSError):
            while True:  # a header that never ends: each byte comes in time, the answer does not
                handler.wfile.write(b"x")
                time.sleep(0.05)

    with serving({"/drip": drip}) as server:
        begun = time.monotonic()
        fault = fault_of(f"{server.url}/drip", timeout_s=0.3)
        assert (fault.status, fault.code) == (504, "timeout")
        assert time.monotonic() - begun < 5


def test_a_redirect_carries_the_key_to_the_same_place_only() -> None:
    with serving({"/end": reply(200, b"{}")}) as other:
        answers = {
            "/same": reply(307, b"", Location="/end"),
            "/away": reply(302, b"", Location=f"{other.url}/end"),
            "/loop": reply(302, b"", Location="/loop"),
            "/ftp": reply(302, b"", Location="ftp://127.0.0.1/x"),
            "/file": reply(302, b"", Location="file:///etc/hostname"),
            "/end": reply(200, b"{}"),
        }
        with serving(answers) as server:
            assert get_json(f"{server.url}/same", AUTH) == (200, {})
            assert server.seen[-1][1]["authorization"] == f"Bearer {KEY}"
            assert get_json(f"{server.url}/away", (*AUTH, ("x-api-key", KEY))) == (200, {})
            assert other.seen[-1][0] == "/end"
            assert KEY not in str(other.seen)
            for path in ("/loop", "/ftp", "/file"):
                assert fault_of(f"{server.url}{path}").code == "not_json"


def test_addresses_and_headers_that_http_cannot_carry() -> None:
    for url in (
        "",
        "openrouter.ai",
        "ftp://host/x",
        "http://",
        "http://host:99999/",
        "http://host/a b",
        "http://hóst/",
    ):
        assert fault_of(url).code == "bad_address"
    for bad in (f"{KEY}\r\nx: y", f"{KEY}é", f"{KEY}\x00"):
        with pytest.raises(Fault) as caught:
            get_json("http://127.0.0.1:9/", (("authorization", bad),))
        assert caught.value.code == "bad_header"
        assert KEY not in str(caught.value)


def test_credentials_and_queries_of_an_address_are_not_shown() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()[1]
    assert fault_of(f"http://me:{KEY}@127.0.0.1:{closed}/v1").code == "bad_address"
    fault = fault_of(f"http://127.0.0.1:{closed}/v1?key={KEY}")
    assert f"http://127.0.0.1:{closed}/v1 refused" in str(fault)


def test_a_key_that_the_server_sends_back_is_not_shown() -> None:
    with serving({"/": reply(200, b"<html>", f"text/{KEY}")}) as server:
        assert fault_of(f"{server.url}/").code == "not_json"


def test_proxies_are_used_but_not_for_our_own_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving({"http://models.invalid/v1": reply(200, b'{"by": "proxy"}'), "/own": reply(200, b"1")}) as server:
        monkeypatch.setenv("http_proxy", f"http://user:{KEY}@127.0.0.1:{server.http.server_port}")
        assert get_json("http://models.invalid/v1") == (200, {"by": "proxy"})
        assert get_json(f"{server.url}/own") == (200, 1)
        assert "proxy-authorization" not in server.seen[-1][1]
    fault = fault_of("http://models.invalid/v1")
    assert f"through the proxy 127.0.0.1:{server.http.server_port} refused" in str(fault)


def test_tls_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serving({"/": reply(200, b'"safe"')}, context) as server:
        fault = fault_of(f"{server.url}/")
        assert "certificate" in str(fault) and "SSL_CERT_FILE" in str(fault)
        assert not server.seen
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert get_json(f"{server.url}/", AUTH) == (200, "safe")
    with serving({"/": reply(200, b"1")}) as plain:
        fault = fault_of(plain.url.replace("http:", "https:"))
        assert "does not answer in TLS" in str(fault) and "http://" in str(fault)


def self_signed(folder: Path) -> Path:
    """A certificate for 127.0.0.1 and its private key in one file, good for an hour."""
    pytest.importorskip("cryptography")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "certificate.pem"
    file.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return file
