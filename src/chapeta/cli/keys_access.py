"""`chapeta keys issue` and `revoke`: access keys for the callers of `chapeta serve`."""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from chapeta import config
from chapeta.cli import options
from chapeta.errors import BadInput
from chapeta.gateway.keys.secret import looks_like_key, shown
from chapeta.gateway.ledger.expiry import expiry, patterns

ADDRESS = "http://127.0.0.1:8484/v1"


def run_issue(arguments: argparse.Namespace) -> None:
    from chapeta.gateway.ledger.limits import parse_budget, parse_rate

    name = arguments.name
    if looks_like_key(name):
        raise BadInput("That name looks like a key.", "Name the caller instead, such as `chapeta keys issue my-app`.")
    budget = parse_budget(arguments.budget_usd) if arguments.budget_usd is not None else None
    rate = parse_rate(arguments.rate) if arguments.rate is not None else None
    models = patterns(arguments.models) if arguments.models is not None else ()
    expires_at = expiry(arguments.expires, time.time()) if arguments.expires is not None else None

    from chapeta.gateway.ledger.access import issue
    from chapeta.storage.database import open_database

    with open_database() as database:
        token = issue(database, name, budget=budget, models=models, rate=rate, expires_at=expires_at)
    if arguments.json:
        options.print_json({"name": name, "token": token})
        return
    limits = [str(limit) for limit in (budget, rate) if limit] + [", ".join(models)] * bool(models)
    limits += [f"until {_day(expires_at)}"] if expires_at else []
    print(token)
    print(f"The access key of {name} ({'; '.join(limits) or 'no limits'}). It is not shown again.")
    print("With `chapeta serve` running, any program that speaks OpenAI's API takes it:")
    print(f"  OPENAI_BASE_URL={ADDRESS} OPENAI_API_KEY={token[:8]}…")


def run_revoke(arguments: argparse.Namespace) -> None:
    if not (_is_there() and _revoked(arguments.name)):
        raise BadInput(f"There is no access key {shown(arguments.name)}.", "`chapeta keys list` shows what there is.")
    if arguments.json:
        options.print_json({"revoked": arguments.name})
    else:
        print(f"revoked: {arguments.name}; running servers refuse it within a second or two")


def rows() -> list[dict[str, Any]]:
    """The access keys with their limits and what they have spent. Makes no database where there is none."""
    if not _is_there():
        return []
    from chapeta.gateway.ledger.access import listed
    from chapeta.storage.database import open_database

    with open_database() as database:
        return [
            {
                "name": key.name,
                "mask": f"chapeta-…{key.last4}",
                "budget_usd": key.budget.usd if key.budget else None,
                "budget_period": key.budget.period if key.budget else None,
                "spent_usd": key.spent_usd,
                "models": list(key.models),
                "rate_calls": key.rate.calls if key.rate else None,
                "rate_period_s": key.rate.period_s if key.rate else None,
                "created": _iso(key.created_at),
                "expires": _iso(key.expires_at) if key.expires_at else None,
            }
            for key in listed(database)
        ]


def line(row: dict[str, Any]) -> str:
    """An access key in a line of `chapeta keys list`."""
    from chapeta.gateway.ledger.limits import Budget, Rate, money

    parts = ["access key"]
    if row["budget_usd"] is not None:
        parts.append(f"{money(row['spent_usd'])} of {Budget(row['budget_usd'], row['budget_period'])} spent")
    if row["rate_calls"] is not None:
        parts.append(str(Rate(row["rate_calls"], row["rate_period_s"])))
    if row["models"]:
        parts.append(", ".join(row["models"]))
    if row["expires"]:
        expired = datetime.fromisoformat(row["expires"]) <= datetime.now(UTC)
        parts.append(f"{'expired' if expired else 'until'} {row['expires'][:10]}")
    return f"{row['name']:<16} {row['mask']:<18} {'; '.join(parts)}"


def _revoked(name: str) -> bool:
    from chapeta.gateway.ledger.access import revoke
    from chapeta.storage.database import open_database

    with open_database() as database:
        return revoke(database, name)


def _is_there() -> bool:
    """Whether there may be a database: asking for one makes it, and takes half a second of imports."""
    kind, _, path = config.database_url().partition("///")
    return kind != "sqlite:" or Path(unquote(path)).exists()


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
