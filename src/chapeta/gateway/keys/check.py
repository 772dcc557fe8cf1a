"""Asks a provider whether it takes a key, and what the key may spend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from chapeta.gateway.fault import Fault
from chapeta.gateway.http.fetch import get_json
from chapeta.gateway.keys.secret import Secret
from chapeta.gateway.providers.remote import Remote
from chapeta.types import Json

Fetch = Callable[[str, Sequence[tuple[str, str]]], tuple[int, Any]]
State = Literal["ok", "refused", "unknown"]


@dataclass(frozen=True, slots=True)
class KeyCheck:
    """What a provider said of a key.

    state:   "unknown" where nobody could say: no answer, or one that is none (`code`: unreachable, timeout, not_json …).
    reason:  why it is not "ok", the provider's words without the key; lines: what it tells of the key, for people.
    account: the same as figures, in USD, for programs.
    """

    state: State
    reason: str = ""
    code: str = ""
    lines: tuple[str, ...] = ()
    account: Json | None = None


def check(remote: Remote, secret: Secret | None, fetch: Fetch = get_json) -> KeyCheck:
    """What the provider says of a key; without one, whether it answers at all. Raises nothing of the network."""
    try:
        status, body = fetch(
            remote.base_url + remote.check_path, remote.lookup_headers(secret.reveal() if secret else None)
        )
    except Fault as fault:
        return KeyCheck("unknown", _safe(str(fault), secret), fault.code)
    said = f"HTTP {status}: {_safe(_message(body), secret)}".removesuffix(": ")
    if status in (401, 403) or (status == 400 and "api key" in _message(body).lower()):  # Google says 400 to a bad key
        return KeyCheck("refused", said, str(status))
    if status == 402:
        return KeyCheck("ok", lines=(f"no credits: {_safe(_message(body), secret)}",))
    if status != 200:
        return KeyCheck("unknown", said, str(status))
    if remote.check_path == "/key":
        return _openrouter(body, secret)
    models = _models(body)
    if models is None:
        return KeyCheck("unknown", f"{remote.base_url} answers, but not with a list of models.", "not_json")
    if "?" in remote.check_path:  # not the whole list was asked for
        return KeyCheck("ok")
    return KeyCheck("ok", lines=(f"models: {models}",), account={"models": models})


def _openrouter(body: Any, secret: Secret | None) -> KeyCheck:
    """What OpenRouter's `/key` tells; any figure may be missing."""
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, dict):
        return KeyCheck("unknown", "The answer says nothing of the key.", "not_json")
    names = ("limit", "limit_remaining", "usage", "usage_daily", "usage_weekly", "usage_monthly", "byok_usage")
    account: Json = {f"{name}_usd": _number(data.get(name)) for name in names}
    for name in ("label", "limit_reset", "expires_at"):
        account[name] = _safe(data[name], secret) if isinstance(data.get(name), str) else None
    account |= {name: data.get(name) is True for name in ("is_free_tier", "is_management_key")}
    return KeyCheck("ok", lines=tuple(_lines(account)), account=account)


def _lines(account: Json) -> list[str]:
    lines = [f"label: {account['label']}"] if account["label"] else []
    if account["limit_usd"] is None:
        lines.append("limit: none for this key; the account's credits are the limit")
    else:
        reset = f", reset {account['limit_reset']}" if account["limit_reset"] else ""
        lines.append(f"limit: {_usd(account['limit_usd'])}{reset}; {_usd(account['limit_remaining_usd'])} remaining")
    spans = (("today", "usage_daily"), ("this week", "usage_weekly"), ("this month", "usage_monthly"))
    parts = ", ".join(f"{span} {_usd(account[f'{name}_usd'])}" for span, name in spans)
    lines.append(f"used: {_usd(account['usage_usd'])} ({parts})")
    if account["byok_usage_usd"]:
        lines.append(f"used with keys of your own at OpenRouter: {_usd(account['byok_usage_usd'])}")
    if account["is_free_tier"]:
        lines.append("free tier: no credits were ever bought; free models only, a few calls a day")
    if account["expires_at"]:
        lines.append(f"expires: {account['expires_at'][:10]}")
    if account["is_management_key"]:
        lines.append("a management key: it makes other keys, but no model answers it")
    return lines


def _models(body: Any) -> int | None:
    """How many models a list has, None if it is no such list. Together's is bare; an empty Ollama says `data: null`."""
    rows = body.get("data", body.get("models", ...)) if isinstance(body, dict) else body or ()
    rows = () if rows is None else rows
    return len(rows) if isinstance(rows, (list, tuple)) else None


def _message(body: Any) -> str:
    """The provider's own words in an error, whose shape varies; Google's is in a list."""
    found = body[0] if isinstance(body, list) and body else body
    for name in ("error", "message", "detail"):
        inner = found.get(name) if isinstance(found, dict) else None
        found = inner if inner is not None else found
    return found if isinstance(found, str) else ""


def _safe(text: str, secret: Secret | None) -> str:
    """Words of others: no key, nothing that steers a terminal, one line, not too long."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return (secret.scrub(line) if secret else line)[:300]


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _usd(value: float | None) -> str:
    if value is None:
        return "unknown"
    return f"${value:.2f}" if value == 0 or abs(value) >= 0.01 else f"${value:.4f}"
