"""A server that cannot start says why on one line and ends with a code of its own; nothing is left behind."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from callers import GPT, Providers, Upstream, body_of, command, environment, usage, wait_for

from serving import Serving

TIMEOUT_S = 60
AS_ANYBODY = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")  # root without its right to write all


def refused(home: Path, *options: str, **variables: str) -> tuple[int, str]:
    """The command in this process, as it does not come to serve anything: its exit code and its one line."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        code, out, err = command(home, "serve", "--port", "0", *options)
    return code, one_line(out, err)


def one_line(out: str, err: str) -> str:
    assert out == ""
    assert err.count("\n") == 1, err
    assert "Traceback" not in err
    assert err.startswith("chapeta: ")
    return err


def test_a_port_in_use_is_one_line(new_home: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = refused(new_home(), "--port", str(port))
    assert code == 2
    assert str(port) in said
    assert "--port" in said


@pytest.mark.parametrize("port", ["65536", "x"])
def test_a_port_that_cannot_be_is_one_line(new_home: Any, port: str) -> None:
    code, said = refused(new_home(), f"--port={port}")
    assert code == 2
    assert "port" in said


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1"])
def test_a_host_that_is_not_this_machine_is_one_line(new_home: Any, host: str) -> None:
    code, said = refused(new_home(), f"--host={host}")
    assert code == 2
    assert "--host" in said or "keys issue" in said or host in said


def test_a_key_that_is_required_and_does_not_exist_is_one_line(new_home: Any) -> None:
    code, said = refused(new_home(), "--require-key")
    assert code == 2
    assert "chapeta keys issue" in said


@pytest.mark.parametrize(
    "url", ["sqlite:////proc/x.sqlite", "mysql://u:secret-pw@h/x", "postgresql://u:secret-pw@127.0.0.1:9/x"]
)
def test_a_database_that_cannot_be_opened_is_one_line(new_home: Any, url: str) -> None:
    code, said = refused(new_home(), CHAPETA_DATABASE_URL=url)
    assert code in (2, 4, 5)
    assert "secret-pw" not in said


def test_a_database_that_is_something_else_is_one_line(new_home: Any) -> None:
    home = new_home()
    (home / "chapeta.sqlite").write_bytes(b"this is no database" * 1000)
    code, said = refused(home)
    assert code in (2, 5)
    assert "chapeta.sqlite" in said
    assert (home / "chapeta.sqlite").read_bytes().startswith(b"this is no database")


needs_permissions = pytest.mark.skipif(
    os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may write everything"
)


@contextlib.contextmanager
def read_only(place: Path) -> Iterator[tuple[str, ...]]:
    """A file or folder that may not be written, and the words that make a command obey that."""
    mode = place.stat().st_mode
    place.chmod(mode & 0o555)
    try:
        yield AS_ANYBODY if os.geteuid() == 0 else ()
    finally:
        place.chmod(mode)


@needs_permissions
def test_a_data_directory_that_may_not_be_written_is_one_line(new_home: Any) -> None:
    home = new_home()
    with read_only(home) as before:
        done = subprocess.run(
            [*before, sys.executable, "-m", "chapeta.cli.main", "serve", "--port", "0"], capture_output=True, text=True,
            timeout=TIMEOUT_S, check=False, stdin=subprocess.DEVNULL, env=environment(CHAPETA_HOME=str(home)),
        )  # fmt: skip
    code, said = done.returncode, one_line(done.stdout, done.stderr)
    assert code in (1, 2, 5)
    assert str(home) in said


@needs_permissions
def test_with_a_read_only_database_calls_go_on_and_wait_for_it(
    new_home: Any, providers: Providers, router: Upstream
) -> None:
    """One line says so; once the file may be written again, the calls are in it."""
    home = new_home()
    providers.point(home)
    with Serving(home):
        pass
    with read_only(home / "chapeta.sqlite") as before:
        words = [*before, sys.executable, "-m", "chapeta.cli.main", "serve", "--port", "0"]
        server = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=environment(CHAPETA_HOME=str(home), **providers.variables),
        )  # fmt: skip
        assert server.stdout
        url = server.stdout.readline().split()[0]
        data = json.dumps(body_of(GPT)).encode()
        asked = Request(f"{url}/chat/completions", data, {"content-type": "application/json"})
        with urlopen(asked, timeout=30) as answer:
            assert answer.status == 200
        wait_for(lambda: list(home.glob("ledger-journal*")))
        server.send_signal(signal.SIGINT)
        said = server.communicate(timeout=30)[1]
    assert said.count("\n") == 1, said
    assert f"{home}/chapeta.sqlite" in said
    assert "read-only" in said
    assert usage(home)["total"]["calls"] == 1


def test_addresses_that_are_not_json_are_one_line_or_an_error_of_each_call(new_home: Any) -> None:
    home = new_home()
    (home / "addresses.json").write_text("{ not json")
    with Serving(home) as server:
        status, _, answer = server.chat("openai/gpt-4.1-mini")
        assert status >= 400
        assert "addresses.json" in answer["error"]["message"]
        assert server.get("/models")[0] < 600
    assert "Traceback" not in server.err


def test_a_broken_deployment_harms_no_other_model(shared_home: Path, server: Serving, router: Upstream) -> None:
    folder = shared_home / "deployments" / "broken"
    folder.mkdir(parents=True)
    (folder / "deployment.json").write_text("{ not json")
    try:
        status, _, answer = wait_for(lambda: found if (found := server.chat("broken"))[0] != 404 else None)
        assert status >= 400
        assert "deployment.json" in answer["error"]["message"]
        status, _, answer = server.get("/models")
        assert status == 200, answer
        assert server.chat(GPT)[0] == 200
    finally:
        (folder / "deployment.json").unlink()
        folder.rmdir()
