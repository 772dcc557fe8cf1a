"""Fetches the list of models that a provider offers, page by page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from chapeta.gateway import refusal
from chapeta.gateway.fault import Fault
from chapeta.gateway.keys.secret import Secret
from chapeta.gateway.providers import rows
from chapeta.gateway.providers.remote import Remote
from chapeta.types import ModelInfo

Fetch = Callable[[str, Sequence[tuple[str, str]]], tuple[int, Any]]
MOST_PAGES = 100


def fetch_models(remote: Remote, key: Secret | None, fetch: Fetch) -> tuple[ModelInfo, ...]:
    """All models of a provider's list, each id once. Raises Fault where a page is refused or is no list."""
    read = remote.read_models or rows.plain_reader(remote.name)
    headers = remote.lookup_headers(key.reveal() if key else None)
    url = remote.base_url + remote.models_path
    found: dict[str, ModelInfo] = {}
    for _ in range(MOST_PAGES):
        status, page = fetch(url, headers)
        if status != 200:
            raise _refused(remote, status, page)
        if not isinstance(page, list) and not (isinstance(page, dict) and "data" in page):
            raise Fault(
                502, f"{remote.title} answers, but not with a list of models.", "Check the address.", "not_json"
            )
        before = len(found)
        found |= {line.id: line for line in read(page)}
        following = _following(page)
        if not following or len(found) == before:
            break
        url = _with_query(url, following)
    return tuple(found.values())


def _following(page: Any) -> dict[str, str]:
    """What to ask for next, as a query: OpenRouter gives an address, Anthropic the last id. {} at the end.

    Of the address only the query is taken: the key goes nowhere but to the place that was asked first, and a proxy in
    front of the provider has other paths.
    """
    if not isinstance(page, dict):
        return {}
    links, last = page.get("links"), page.get("last_id")
    if isinstance(links, dict) and isinstance(links.get("next"), str):
        return dict(parse_qsl(urlsplit(links["next"]).query))
    if page.get("has_more") is True and isinstance(last, str):
        return {"after_id": last}
    return {}


def _with_query(url: str, changes: dict[str, str]) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query=urlencode({**dict(parse_qsl(parts.query)), **changes})))


def _refused(remote: Remote, status: int, page: Any) -> Fault:
    body = page[0] if isinstance(page, list) and page else page  # Google's errors come in a list
    error = body.get("error", body) if isinstance(body, dict) else {}
    fault = refusal.of_error(
        error if isinstance(error, dict) else {"message": str(error)}, status, remote.name, remote.title
    )
    if fault.status not in (401, 402, 403, 429):  # the other remedies speak of calls to a model
        fault.remedy = "Check the address." if fault.status == 404 else "Try again later."
    return fault
