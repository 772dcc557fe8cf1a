"""`chapeta keys`, as a user types it: keys and addresses come in, nothing of a key comes out."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command import COMMAND, chapeta

from chapeta.cli.keys_access import expiry
from loopback import reply, serving
from standin.server import KEY, Standin

WRONG = "sk-or-v1-ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
TESTS = Path(__file__).parents[1]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory on a machine without a keychain and without keys."""
    monkeypatch.setenv("CHAPETA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    for name in [name for name in os.environ if name.endswith("_API_KEY")]:
        monkeypatch.delenv(name)
    return tmp_path / "home"


@pytest.fixture
def upstream() -> Iterator[Standin]:
    with Standin() as server:
        yield server


@pytest.fixture
def openrouter(folder: Path, upstream: Standin) -> Standin:
    """OpenRouter, listening on loopback: the stand-in, under an address of the user's for that provider."""
    folder.mkdir(mode=0o700)
    entry = {"openrouter": {"url": upstream.url, "needs_key": True}}
    (folder / "addresses.json").write_text(json.dumps(entry))
    return upstream


def keys(*words: str, code: int = 0, **options: Any) -> subprocess.CompletedProcess[str]:
    """`chapeta keys …`; whatever comes of it, no key and no traceback is in what it says."""
    done = chapeta("keys", *words, timeout_s=60, **options)
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    for key in (KEY, WRONG):
        assert key[9:25] not in said
    assert done.returncode == code, said
    return done


def files_with(value: str, folder: Path) -> set[str]:
    return {
        str(file.relative_to(folder))
        for file in folder.rglob("*")
        if file.is_file() and value.encode() in file.read_bytes()
    }


def test_a_key_is_checked_stored_listed_and_removed(folder: Path, openrouter: Standin) -> None:
    done = keys("set", "openrouter", stdin=f"{KEY}\n")
    assert f"openrouter: key sk-or-…{KEY[-4:]} is good" in done.stdout
    assert "limit: $100.00; $100.00 remaining" in done.stdout
    assert f"stored in {folder / 'keys.json'} (mode 0600; there is no keychain here: none is set up)" in done.stdout
    assert files_with(KEY, folder.parent) == {"home/keys.json"}
    assert (folder / "keys.json").stat().st_mode & 0o777 == 0o600
    assert openrouter.requests[-1].path == "/key"

    assert f"sk-or-…{KEY[-4:]}" in keys("list").stdout
    listed = json.loads(keys("list", "--check", "--json").stdout)
    (row,) = listed["keys"]
    assert (row["name"], row["where"], row["in_use"]) == ("openrouter", "file", True)
    assert row["check"]["state"] == "ok"
    assert row["check"]["account"]["limit_remaining_usd"] == 100.0
    assert listed["access_keys"] == []

    assert keys("remove", "openrouter").stdout == "removed: key and address of openrouter\n"
    assert files_with(KEY, folder.parent) == set()
    assert "No key or address is stored under 'openrouter'" in keys("remove", "openrouter", code=2).stderr


def test_a_key_goes_into_the_keychain(folder: Path, openrouter: Standin, tmp_path: Path) -> None:
    ring = {"PYTHON_KEYRING_BACKEND": "file_keychain.FileKeychain", "TEST_KEYCHAIN": str(tmp_path / "ring")}
    ring["PYTHONPATH"] = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    done = keys("set", "openrouter", stdin=f"{KEY}\n", **ring)
    assert "stored in the OS keychain" in done.stdout
    assert files_with(KEY, folder) == set()
    assert files_with(KEY, tmp_path) == {"ring"}
    assert "OS keychain" in keys("list", **ring).stdout
    assert "ok" in keys("list", "--check", **ring).stdout
    assert "cannot be used from here" in keys("list", "--check").stdout
    keys("remove", "openrouter", **ring)
    assert files_with(KEY, tmp_path) == set()


def test_a_pasted_line_is_cleaned(folder: Path, openrouter: Standin) -> None:
    keys("set", "openrouter", stdin=f'\ufeffexport OPENROUTER_API_KEY="{KEY}"\r\n')
    assert json.loads((folder / "keys.json").read_text()) == {"openrouter": KEY}


def test_a_refused_key_is_not_stored(folder: Path, openrouter: Standin) -> None:
    done = keys("set", "openrouter", stdin=WRONG, code=2)
    assert "OpenRouter refuses this key (HTTP 401:" in done.stderr
    assert "https://openrouter.ai/settings/keys" in done.stderr and "Nothing was stored" in done.stderr
    assert files_with(WRONG, folder) == set()
    keys("set", "openrouter", "--force", stdin=WRONG)
    assert files_with(WRONG, folder) == {"keys.json"}
    assert "refused: HTTP 401" in keys("list", "--check").stdout


def test_an_unreachable_provider_does_not_hinder(folder: Path, openrouter: Standin) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    (folder / "addresses.json").write_text(json.dumps({"openrouter": {"url": closed}}))
    done = keys("set", "openrouter", stdin=KEY)
    assert "Stored, but it could not be checked" in done.stderr and "refused the connection" in done.stderr
    assert files_with(KEY, folder) == {"keys.json"}


@pytest.mark.parametrize(
    ("pasted", "why"),
    [
        (b"", "No key was given"),
        (b"\n", "No key was given"),
        (b"''\n", "is empty"),
        (b"sk or v1\n", "white space inside"),
        (b"sk-\x00-or\n", "control character inside"),
        ("sk-or-\u2026\n".encode(), "U+2026"),
        (b"\xff\xfes\x00k\x00\n", "not UTF-8"),
        (b"a" * 9000, "no key is that long"),
    ],
)
def test_what_is_no_key(pasted: bytes, why: str, folder: Path) -> None:
    done = keys("set", "openrouter", stdin=pasted, code=2)
    assert why in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (folder / "keys.json").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["set", "openrouter", KEY],
        ["set", KEY],
        ["set", "openrouter", "--key", KEY],
        ["set", "openrouter", f"--api-key={KEY}"],
        ["set", "openrouter", "--force", KEY],
        ["set", "openrouter", f"--api_key={KEY}"],
        [KEY],
        ["remove", KEY],
    ],
)
def test_a_key_as_an_argument_is_refused_and_not_repeated(words: list[str], folder: Path) -> None:
    done = keys(*words, code=2)
    assert len(done.stderr.splitlines()) == 1
    if words[0] == "set" and "--force" not in words and "--api_key" not in words[-1]:
        assert "history" in done.stderr


def test_the_prompt_hides_what_is_pasted(folder: Path, openrouter: Standin) -> None:
    said, code = on_terminal(["keys", "set", "openrouter"], "not shown", f"{KEY}\n")
    assert code == 0, said
    assert "Key of OpenRouter, from https://openrouter.ai/settings/keys" in said
    assert "is good" in said
    assert KEY[9:25] not in said
    assert files_with(KEY, folder) == {"keys.json"}
    said, code = on_terminal(["keys", "set", "openrouter"], "not shown", "\x04")
    assert code == 2
    assert "No key was given" in said


def test_an_address_of_ones_own(folder: Path) -> None:
    with Standin(key=None, dialect="openai") as own:
        done = keys("set", "my-server", "--url", own.url, "--no-key", "--usd-in", "0.5", "--usd-out", "1.5")
        assert f"my-server: {own.url}, no key" in done.stdout
        assert "models: " in done.stdout
        assert json.loads((folder / "addresses.json").read_text())["my-server"] == {
            "url": own.url, "needs_key": False, "usd_per_mtok_input": 0.5, "usd_per_mtok_output": 1.5,
        }  # fmt: skip
        assert f"my-server        {own.url}  (no key; $0.5 in, $1.5 out per million tokens)" in keys("list").stdout
        (row,) = json.loads(keys("list", "--check", "--json").stdout)["addresses"]
        assert (row["url"], row["check"]["state"]) == (own.url, "ok")
    keys("set", "my-server", "--usd-in", "0", "--usd-out", "0")
    assert json.loads((folder / "addresses.json").read_text())["my-server"]["usd_per_mtok_output"] == 0
    assert keys("remove", "my-server").stdout == "removed: address of my-server\n"
    assert "no provider keys yet" in keys("list").stdout


def test_an_address_with_a_key(folder: Path) -> None:
    with Standin(dialect="openai") as own:
        assert "No key was given" in keys("set", "mine", "--url", own.url, code=2).stderr
        assert "wants a key (HTTP 401" in keys("set", "mine", "--url", own.url, "--no-key", code=2).stderr
        assert not (folder / "addresses.json").exists()
        done = keys("set", "mine", "--url", own.url, stdin=KEY)
        assert f"mine: key sk-or-…{KEY[-4:]} is good" in done.stdout
        assert files_with(KEY, folder) == {"keys.json"}
        # a change of the address keeps the key
        assert "is good" in keys("set", "mine", "--url", f"{own.url}/", stdin="").stdout
        assert keys("list", "--json", MINE_API_KEY=WRONG).stdout.count("MINE_API_KEY") == 1


def test_v1_is_found(folder: Path) -> None:
    with serving({"/v1/models": reply(200, b'{"data": [{"id": "llama"}]}')}) as server:
        done = keys("set", "mine", "--url", server.url, "--no-key")
    assert f"mine: {server.url}/v1, no key" in done.stdout


def test_addresses_that_are_none(folder: Path) -> None:
    with serving({"/": reply(200, b"<html>", "text/html")}) as server:
        done = keys("set", "mine", "--url", server.url, "--no-key", code=2)
        assert "is no OpenAI-compatible address" in done.stderr and "--force" in done.stderr
        assert not (folder / "addresses.json").exists()
        assert "could not be checked" in keys("set", "mine", "--url", server.url, "--no-key", "--force").stderr
    done = keys("set", "mine", "--url", server.url, "--no-key")  # nobody listens there now: perhaps later
    assert "Stored, but it could not be checked" in done.stderr and "refused the connection" in done.stderr
    for url, why in (("ftp://x", "http:// or https://"), (f"http://me:{KEY}@host/v1", "user or password")):
        assert why in keys("set", "mine", "--url", url, "--no-key", code=2).stderr
    for name, why in (("smollm2-135m", "embedded model"), ("A B", "lower-case")):
        assert why in keys("set", name, "--url", server.url, "--no-key", code=2).stderr


def test_a_key_over_plain_http_to_elsewhere_is_said(folder: Path) -> None:
    done = keys("set", "mine", "--url", "http://no-such-host.invalid/v1", stdin=KEY)
    assert "The key will travel to http://no-such-host.invalid/v1 unencrypted." in done.stderr


def test_the_environment_is_shown_and_comes_first(folder: Path, openrouter: Standin) -> None:
    listed = keys("list", OPENROUTER_API_KEY=KEY).stdout
    assert f"sk-or-…{KEY[-4:]}        environment variable OPENROUTER_API_KEY" in listed
    done = keys("set", "openrouter", stdin=KEY, OPENROUTER_API_KEY=WRONG)
    assert "OPENROUTER_API_KEY is set and comes first" in done.stderr
    rows = json.loads(keys("list", "--json", OPENROUTER_API_KEY=WRONG).stdout)["keys"]
    assert [row["in_use"] for row in rows] == [True, False]
    done = keys("remove", "openrouter", OPENROUTER_API_KEY=WRONG)
    assert "OPENROUTER_API_KEY is still set" in done.stdout
    assert "unset OPENROUTER_API_KEY" in keys("remove", "openrouter", code=2, OPENROUTER_API_KEY=WRONG).stderr
    bad = keys("list", OPENROUTER_API_KEY=f"{KEY} x").stdout
    assert "white space inside" in bad


def test_json_of_a_stored_key(folder: Path, openrouter: Standin) -> None:
    told = json.loads(keys("set", "openrouter", "--json", stdin=KEY).stdout)
    assert told["name"] == "openrouter"
    assert told["mask"] == f"sk-or-…{KEY[-4:]}"
    assert told["check"]["state"] == "ok"
    assert "keys.json" in told["stored"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["set"], "needs a name"),
        (["set", "nobody"], "Known: openrouter, openai"),
        (["list", "openrouter"], "takes no name"),
        (["remove"], "needs a name"),
        (["remove", "nobody"], "No key or address is stored under 'nobody'"),
        (["remove", "a", "b"], "takes one name"),
        (["set", "openrouter", "--budget-usd", "5/day"], "--budget-usd belongs to `keys issue`"),
        (["issue", "app", "--no-key"], "--no-key belongs to `keys set`"),
        (["set", "mine", "--url", "http://127.0.0.1:9/v1", "--no-key", "--usd-in", "1"], "belong together"),
        (["set", "mine", "--no-key"], "No provider is called 'mine'"),
    ],
)
def test_wrong_words(words: list[str], why: str, folder: Path) -> None:
    done = keys(*words, code=2)
    assert why in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_damaged_file_is_named(folder: Path) -> None:
    folder.mkdir()
    (folder / "keys.json").write_text('{"openrouter": "' + KEY)
    (folder / "keys.json").chmod(0o600)
    for words in (["list"], ["set", "openrouter", "--force"], ["remove", "openrouter"]):
        assert "keys.json is not valid JSON" in keys(*words, code=5, stdin=KEY, HTTPS_PROXY="http://127.0.0.1:9").stderr
    assert (folder / "keys.json").read_text() == '{"openrouter": "' + KEY


@pytest.mark.skipif(os.name == "nt", reason="modes of files are POSIX's")
def test_an_open_file_is_closed_and_that_is_said(folder: Path, openrouter: Standin) -> None:
    keys("set", "openrouter", stdin=KEY)
    (folder / "keys.json").chmod(0o640)
    assert "keys.json was open to others (mode 0640). It is 0600 now." in keys("list").stderr
    assert keys("list").stderr == ""


def test_an_access_key_is_issued_once_listed_and_revoked(folder: Path) -> None:
    words = ["--budget-usd", "5/day", "--models", "openrouter/*, support", "--rate", "60/min", "--expires", "30d"]
    done = keys("issue", "app", *words)
    token = done.stdout.splitlines()[0]
    assert token.startswith("chapeta-") and len(token) > 40
    assert "It is not shown again." in done.stdout and "OPENAI_BASE_URL=" in done.stdout
    assert done.stdout.count(token) == 1
    assert files_with(token, folder.parent) == set()

    assert "There is a key 'app' already" in keys("issue", "app", code=2).stderr
    other = json.loads(keys("issue", "other", "--json").stdout)
    assert set(other) == {"name", "token"}

    listed = keys("list").stdout
    assert f"chapeta-…{token[-4:]}" in listed and "$0.00 of $5.00 a day spent; 60/min; openrouter/*, support" in listed
    assert token not in listed and other["token"] not in listed
    rows = json.loads(keys("list", "--json").stdout)["access_keys"]
    assert [row["name"] for row in rows] == ["app", "other"]
    assert (rows[0]["budget_usd"], rows[0]["budget_period"], rows[0]["rate_calls"]) == (5.0, "day", 60)
    assert rows[1]["expires"] is None and rows[1]["models"] == []

    assert "revoked: app" in keys("revoke", "app").stdout
    assert "There is no access key 'app'" in keys("revoke", "app", code=2).stderr
    assert [row["name"] for row in json.loads(keys("list", "--json").stdout)["access_keys"]] == ["other"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["issue"], "needs a name"),
        (["issue", "a b"], "cannot name a key"),
        (["issue", KEY], "looks like a key"),
        (["issue", "app", "--budget-usd", "much"], "not a budget"),
        (["issue", "app", "--rate", "60"], "not a rate"),
        (["issue", "app", "--models", "a,,b"], "empty pattern"),
        (["issue", "app", "--expires", "soon"], "no time to expire"),
        (["issue", "app", "--expires", "0d"], "over already"),
        (["issue", "app", "--expires", "2020-01-01"], "over already"),
        (["revoke", "nobody"], "There is no access key 'nobody'"),
    ],
)
def test_access_keys_that_cannot_be(words: list[str], why: str, folder: Path) -> None:
    done = keys(*words, code=2)
    assert why in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_database_that_is_down_hides_no_providers_key(folder: Path) -> None:
    done = keys("list", OPENROUTER_API_KEY=KEY, CHAPETA_DATABASE_URL="postgresql://me:secret@127.0.0.1:9/none")
    assert "environment variable OPENROUTER_API_KEY" in done.stdout
    assert "Access keys cannot be shown" in done.stderr and "secret" not in done.stderr


def test_when_a_key_expires() -> None:
    assert expiry("30d", 1000.0) == 1000 + 30 * 86400
    assert expiry("12H", 0.0) == 12 * 3600
    assert expiry("2w", 0.0) == 14 * 86400
    assert expiry("2027-01-01", 0.0) == 1798761600
    assert expiry("2027-01-01T02:00+02:00", 0.0) == 1798761600


def on_terminal(words: list[str], prompt: str, answer: str) -> tuple[str, int]:
    """What a command shows on a real terminal when the prompt is answered, and its exit code."""
    pty = pytest.importorskip("pty")
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [*COMMAND, *words])  # the environment is the test's own
    shown = b""
    answered = False
    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                piece = os.read(terminal, 4096)
            except OSError:  # Linux's way to say that the other side is closed
                break
            if not piece:
                break
            shown += piece
        if not answered and prompt.encode() in shown:
            answered = True
            os.write(terminal, answer.encode())
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    return shown.decode(errors="replace"), os.waitstatus_to_exitcode(status)
