"""The embedded engine as a provider: a child process that is started when it is first needed, and again if it has died."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import threading
from functools import lru_cache
from pathlib import Path

from chapeta.engine import weights
from chapeta.engine.gguf_header import read_header
from chapeta.errors import BadInput, ChapetaError
from chapeta.files import sha256
from chapeta.gateway.fault import Fault
from chapeta.gateway.http.pool import Origin
from chapeta.gateway.http.upstream import Upstream
from chapeta.gateway.providers.remote import Remote

START_S = 60.0
SLOTS = 4  # questions that the engine answers at a time
REMOTE = Remote("embedded", "The embedded engine", "", needs_key=False, models_path="")


class Embedded:
    """Looks after the child process. Belongs to one event loop."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[str] | None = None
        self._upstream: Upstream | None = None
        self._starting = asyncio.Lock()

    async def upstream(self) -> Upstream:
        """The running engine, started first if need be. Raises Fault 503 where it does not start."""
        if self._upstream is not None and self._child is not None and self._child.poll() is None:
            return self._upstream
        async with self._starting:
            if self._upstream is None or self._child is None or self._child.poll() is not None:
                self._upstream = await asyncio.get_running_loop().run_in_executor(None, self._start)
        return self._upstream

    async def file(self, model: str) -> str:
        """The weights of a local model, pulled first if need be. Raises Fault where they cannot be had."""
        try:
            return str(await asyncio.get_running_loop().run_in_executor(None, weights.ensure, model))
        except ChapetaError as error:
            status = 404 if isinstance(error, BadInput) else 503
            raise Fault(status, error.message, error.remedy, "model_not_found") from None

    async def fault(self, fault: Fault) -> Fault:
        """A broken call seen with the child in mind: if it has died, that is the reason."""
        child = self._child
        if child is None or fault.code not in ("cut", "closed", "unreachable"):
            return fault
        for _ in range(20):  # the connection breaks a moment before the process is gone
            if child.poll() is not None:
                break
            await asyncio.sleep(0.01)
        if child.returncode is None:
            return fault
        return Fault(
            503, f"The embedded engine has died ({_end_of(child.returncode)}).",
            "It starts again with the next call; if it was killed for want of memory, close other programs.",
            "engine_died", provider=REMOTE.name, sent=True,
        )  # fmt: skip

    @property
    def pid(self) -> int | None:
        """Process id of the running child."""
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    def close(self) -> None:
        """Ends the child and waits until it is gone."""
        child, self._child, self._upstream = self._child, None, None
        if child is not None:
            if child.stdin:
                child.stdin.close()
            child.kill()
            child.wait()

    def _start(self) -> Upstream:
        secret = secrets.token_hex(32)
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "chapeta.engine.server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")},
            start_new_session=True,  # a Ctrl-C in the terminal is the gateway's to handle
        )  # fmt: skip
        assert child.stdin is not None and child.stdout is not None
        too_late = threading.Timer(START_S, child.kill)
        too_late.start()
        try:
            child.stdin.write(f"{secret}\n")
            child.stdin.flush()
            port = int(child.stdout.readline())
        except (OSError, ValueError):
            child.kill()
            remedy = "Its reason stands above; `pip install --force-reinstall xllamacpp` mends a broken install."
            message = f"The embedded engine did not start ({_end_of(child.wait())})."
            raise Fault(503, message, remedy, "engine_died") from None
        finally:
            too_late.cancel()
        self._child = child
        head = f"host: 127.0.0.1\r\nauthorization: Bearer {secret}\r\ncontent-type: application/json\r\n".encode()
        return Upstream(REMOTE, Origin("127.0.0.1", port, False), "", head, secret.encode())


def context_tokens(model: str) -> int:
    """How many tokens of prompt and answer a local model takes."""
    return read_header(weights.ensure(model)).number("context_length")


def identity(model: str, adapter: str | None) -> str:
    """What decides a local model's answers besides the request: the hashes of weights and adapter."""
    file = weights.ensure(model)
    added = Path(adapter) if adapter else None
    marks = (added.stat().st_mtime_ns, added.stat().st_size) if added else (0, 0)
    return _identity(file, file.stat().st_mtime_ns, added, marks)


@lru_cache(maxsize=256)
def _identity(file: Path, _changed: int, adapter: Path | None, _marks: tuple[int, int]) -> str:
    return f"{weights.weights_sha256(file)}+{sha256(adapter) if adapter else ''}"


def _end_of(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
