"""`chapeta serve` as a user starts it: a process of its own, its address read from what it prints."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit


class Serving:
    """A running server. `home`: its data directory; further environment variables by name.

    url: the base address, with /v1; err: everything it has written to standard error so far.
    """

    def __init__(self, home: Path, *options: str, **variables: str) -> None:
        self.home = home
        self._words = ("serve", "--port", "0", "--json", *options)
        self._variables = variables
        self._errors: list[str] = []

    def __enter__(self) -> Serving:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "chapeta.cli.main", *self._words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "CHAPETA_HOME": str(self.home), **self._variables},
        )  # fmt: skip
        assert self.process.stderr is not None and self.process.stdout is not None
        self._reader = threading.Thread(target=self._read_errors, daemon=True)
        self._reader.start()
        said = ""
        for line in self.process.stdout:
            said += line
            if line.startswith("}"):
                break
        else:
            self._reader.join()
            raise AssertionError(f"chapeta serve ended with {self.process.wait()}: {self.err}")
        self.url: str = json.loads(said)["address"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def err(self) -> str:
        return "".join(self._errors)

    def stop(self) -> int:
        """Ctrl-C, as in a terminal; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        code = self.process.wait(30)
        self._reader.join(10)
        return code

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def connection(self) -> http.client.HTTPConnection:
        place = urlsplit(self.url)
        return http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)

    def post(self, path: str, body: Any, **headers: str) -> tuple[int, dict[str, str], Any]:
        """POSTs JSON (or bytes as they are): status, headers in lower case, decoded JSON (or text of a stream)."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.request("POST", path, data, **{"content-type": "application/json", **headers})

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], Any]:
        return self.request("GET", path, None, **headers)

    def request(self, method: str, path: str, body: bytes | None, **headers: str) -> tuple[int, dict[str, str], Any]:
        connection = self.connection()
        try:
            connection.request(method, f"/v1{path}", body, {k.replace("_", "-"): v for k, v in headers.items()})
            response = connection.getresponse()
            said = response.read()
        finally:
            connection.close()
        told = {name.lower(): value for name, value in response.getheaders()}
        is_json = told.get("content-type", "").startswith("application/json")
        return response.status, told, json.loads(said) if is_json else said.decode()

    def chat(self, model: str, text: str = "Hello", **more: Any) -> tuple[int, dict[str, str], Any]:
        """One question to a model."""
        return self.post("/chat/completions", {"model": model, "messages": [{"role": "user", "content": text}], **more})

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._errors.append(line)


def point(home: Path, name: str, url: str, needs_key: bool = True, **prices: float) -> None:
    """Stores an address as `chapeta keys set NAME --url URL` does."""
    file = home / "addresses.json"
    entries = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps({**entries, name: {"url": url, "needs_key": needs_key, **prices}}))


def new_home(folder: Path, models_home: Path) -> Path:
    """An empty data directory with the embedded model already in it (a link to the one copy)."""
    folder.mkdir()
    if not os.environ.get("CHAPETA_TEST_MODEL"):
        (folder / "models").symlink_to(models_home / "models")
    return folder
