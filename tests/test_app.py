"""The app's process before there are pages: whose port it is, who may read what it keeps."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

from chapeta.app import Opening, is_running


def command(home: Path, port: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "chapeta.cli.main", "app", "--no-browser", "--port", str(port)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "CHAPETA_HOME": str(home)},
    )  # fmt: skip


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_another_program_on_the_port_is_not_taken_for_the_app(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = int(other.getsockname()[1])

        def answer() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = other.accept()
                    with connection:
                        connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
                        connection.recv(1000)

        threading.Thread(target=answer, daemon=True).start()
        assert not is_running(Opening(port=port))
        started = command(tmp_path / "home", port)
        said, _ = started.communicate(timeout=120)
        assert started.returncode != 0
        assert f"port {port}" in said and "--port" in said and "Traceback" not in said


def test_two_that_are_started_at_once_are_one_app(tmp_path: Path) -> None:
    """The second waits while the first loads, and the data directory is its owner's alone."""
    port, home = free_port(), tmp_path / "home"
    both = [command(home, port) for _ in range(2)]
    first = None
    try:
        said = []
        for one in both:
            assert one.stdout is not None
            said.append(one.stdout.readline())
        assert sorted("open already" in line for line in said) == [False, True], said
        first = both["open already" in said[0]]
        second = both["open already" not in said[0]]
        assert second.wait(60) == 0
        assert first.poll() is None
        elsewhere = command(home, free_port())
        said_there, _ = elsewhere.communicate(timeout=60)
        assert elsewhere.returncode != 0 and f"open already: http://127.0.0.1:{port}" in said_there
        assert home.stat().st_mode & 0o777 == 0o700
    finally:
        for one in both:
            one.kill()
            one.communicate()
