"""The keys of providers that the user brought: environment variables first, then what `chapeta keys set` stored.

A key is stored in the OS keychain, or on a machine without one in `keys.json`, which its owner alone may read. An index
without secrets says what is stored where, so that listing unlocks nothing and a missing key asks no keychain.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chapeta import config
from chapeta.errors import BadInput, Corrupt, Missing
from chapeta.gateway.keys import keychain, private
from chapeta.gateway.keys.secret import Secret as Secret
from chapeta.gateway.keys.secret import secret_of
from chapeta.gateway.providers.remote import Remote

KEYCHAIN = "keychain"
FILE = "file"


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What may be shown of a key.

    where:  "environment variable NAME", "keychain" or "file"; stored: ISO time, "" where it is not known.
    in_use: False for a stored key that an environment variable overrides; problem: why what is there is no key.
    """

    name: str
    where: str
    mask: str
    stored: str = ""
    in_use: bool = True
    problem: str = ""


def find(remote: Remote) -> Secret | None:
    """The key of a provider, None if there is none. May take a minute where the keychain has to be unlocked.

    Raises BadInput for a variable that holds no key, Corrupt for a damaged file, Missing where the key is in a keychain
    that cannot be used from here.
    """
    given = _in_environment(remote)
    if given is not None:
        return given[1]
    entry = _index().get(remote.name)
    if entry is None or entry["where"] == FILE:
        return _in_file(remote.name)
    try:
        value = keychain.read(remote.name)
    except keychain.NoKeychain as error:
        variable = f"set {remote.key_variables[0]}, or " if remote.key_variables else ""
        raise Missing(
            _locked_in(remote.name, error),
            f"Unlock it, or {variable}run `chapeta keys set {remote.name}` here.",
        ) from None
    return Secret(value) if value else None


def store(name: str, secret: Secret) -> str:
    """Keeps a key in place of the one before. Returns where, in words for the user."""
    with private.changing(index_path()) as index:
        before = _checked_index(index).get(name, {})
        try:
            keychain.write(name, secret.reveal())
            where, words = KEYCHAIN, "the OS keychain"
        except keychain.NoKeychain as error:
            with private.changing(file_path()) as file:
                _checked_file(file)[name] = secret.reveal()
            where, words = FILE, f"{file_path()} (mode 0600; there is no keychain here: {error})"
        index[name] = {"where": where, "mask": secret.mask, "stored": _now()}
    if before.get("where") == FILE and where == KEYCHAIN:
        _drop_from_file(name)
    return words


def remove(name: str) -> bool:
    """Forgets a stored key, wherever it is; False if there was none. Raises Missing if its keychain cannot be used."""
    with private.changing(index_path()) as index:
        entry = _checked_index(index).pop(name, {})
        found = _drop_from_file(name) or bool(entry)
        try:
            if entry:  # also where the newest went to the file: the keychain may hold the one before
                keychain.delete(name)
        except keychain.NoKeychain as error:
            if entry.get("where") == KEYCHAIN:
                remedy = "Remove it where you can unlock the keychain."
                raise Missing(_locked_in(name, error), remedy) from None
    return found


def listed(remotes: Mapping[str, Remote]) -> list[KeyFacts]:
    """The keys of the environment and the stored ones, by name. Unlocks nothing."""
    facts = [fact for remote in remotes.values() if (fact := _environment_facts(remote))]
    in_environment = {fact.name for fact in facts}
    index, file = _index(), _file()
    for name in sorted({*index, *file}):
        entry = index.get(name, {"where": FILE, "mask": Secret(file.get(name, "")).mask, "stored": ""})
        if entry["where"] == KEYCHAIN or name in file:
            facts.append(KeyFacts(name, entry["where"], entry["mask"], entry["stored"], name not in in_environment))
    return sorted(facts, key=lambda fact: (fact.name, not fact.in_use))


def stamp() -> int:
    """A number that changes when keys are stored or removed, by whatever process. Costs two looks at a file's time."""
    return private.stamp(index_path()) + private.stamp(file_path())


def variable_of(remote: Remote) -> str:
    """The environment variable that the provider's key comes from, "" if none is set."""
    return next((name for name in remote.key_variables if os.environ.get(name, "").strip()), "")


def index_path() -> Path:
    return config.home() / "keys-index.json"


def file_path() -> Path:
    return config.home() / "keys.json"


def _in_environment(remote: Remote) -> tuple[str, Secret] | None:
    name = variable_of(remote)
    return (name, secret_of(os.environ[name], f"The environment variable {name}")) if name else None


def _environment_facts(remote: Remote) -> KeyFacts | None:
    where = f"environment variable {variable_of(remote)}"
    try:
        given = _in_environment(remote)
    except BadInput as error:  # one bad variable hides no other key
        return KeyFacts(remote.name, where, "…", problem=str(error))
    return KeyFacts(remote.name, where, given[1].mask) if given else None


def _locked_in(name: str, error: keychain.NoKeychain) -> str:
    return f"The key of {name} is in the OS keychain, which cannot be used from here ({error})."


def _in_file(name: str) -> Secret | None:
    value = _file().get(name)
    return Secret(value) if value else None


def _file() -> dict[str, str]:
    private.mend(file_path())
    return _checked_file(private.read(file_path()))


def _checked_file(values: dict[str, Any]) -> dict[str, str]:
    for name, value in values.items():
        if not isinstance(value, str):
            raise Corrupt(f"{file_path()} has something else than text under '{name}'.", "Repair it or move it away.")
    return values


def _drop_from_file(name: str) -> bool:
    if name not in private.read(file_path()):  # an untouched file is not written, not even created
        return False
    with private.changing(file_path()) as file:
        return file.pop(name, None) is not None


def _index() -> dict[str, dict[str, str]]:
    return _checked_index(private.read(index_path()))


def _checked_index(index: dict[str, Any]) -> dict[str, dict[str, str]]:
    for entry in index.values():
        if not isinstance(entry, dict) or entry.get("where") not in (KEYCHAIN, FILE):
            raise Corrupt(f"{index_path()} is damaged.", "Move it away, and set the keys again.")
        entry.update(mask=str(entry.get("mask", "…")), stored=str(entry.get("stored", "")))
    return index


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
