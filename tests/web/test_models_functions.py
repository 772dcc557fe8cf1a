"""What the page Models and keys shows and does, without a browser."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chapeta.engine import weights
from chapeta.errors import BadInput, Missing
from chapeta.gateway.catalog.search import Wanted
from chapeta.gateway.ledger.access import listed
from chapeta.gateway.ledger.limits import Budget, Rate
from chapeta.storage.database import open_database
from chapeta.web.models import listing, local
from chapeta.web.models.access import Asked, issued, limits
from chapeta.web.models.providers import check_all, lines
from chapeta.web.models.pulls import Pulls
from serving import point
from standin.server import Standin


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHAPETA_HOME", str(tmp_path))
    return tmp_path


def test_models_are_found_by_words_price_context_and_kind() -> None:
    every = listing.listing(Wanted())
    assert every.total > 500 and every.lines
    found = listing.listing(Wanted(words=("claude",), max_usd_per_mtok=10, min_context_tokens=100_000), "price")
    assert found.lines
    for line in found.lines:
        assert "claude" in f"{line.id} {line.name}".lower()
        assert line.price is not None and line.price.output <= 10 and (line.context_tokens or 0) >= 100_000
    prices = [3 * line.price.input + line.price.output for line in found.lines if line.price]
    assert prices == sorted(prices)
    assert {line.provider for line in listing.listing(Wanted(provider="openai")).lines} == {"openai"}


def test_those_that_can_be_asked_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-tests")
    found = listing.listing(Wanted())
    assert "openai" in found.ready and "anthropic" not in found.ready
    assert found.lines[0].provider == "openai"
    assert {line.provider for line in listing.listing(Wanted(), ready_only=True).lines} == {"openai"}


def test_details_say_who_is_asked_and_what_stands_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    found = listing.details("smollm2-135m")
    assert found.problem == "" and dict(found.facts)["licence"] == "Apache-2.0"
    assert "key" in listing.details("openai/gpt-4.1-mini").problem
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-tests")
    facts = dict(listing.details("openai/gpt-4.1-mini").facts)
    assert facts["asked"] == "openai/gpt-4.1-mini at openai" and facts["source"] == "the offline price list"
    assert "in ·" in facts["price"]
    assert "gibberish-42" in listing.details("gibberish-42").problem


def test_providers_with_a_key_or_an_address_come_first(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "key-of-the-tests-42")
    with Standin(None, "openai") as upstream:
        point(data, "mine", upstream.url, needs_key=False)
        found = lines()
        assert {line.remote.name for line in found[:2]} == {"google", "mine"}
        mine = next(line for line in found if line.remote.name == "mine")
        assert mine.mine and not mine.is_stored
        assert check_all([mine])["mine"].state == "ok"
    google = next(line for line in found if line.remote.name == "google")
    assert "42" not in google.mask[:-4] and not google.is_stored


def test_an_access_key_with_its_limits() -> None:
    with open_database() as database:
        token = issued(database, Asked(" ci ", 5.0, "day", "openai/*, triage", "60/min", "30d"))
        [key] = listed(database)
        assert token.startswith("chapeta-") and key.name == "ci"
        assert (key.budget, key.rate, key.models) == (Budget(5, "day"), Rate(60, 60.0), ("openai/*", "triage"))
        assert key.expires_at is not None and abs(key.expires_at - time.time() - 30 * 86400) < 60
        assert "60/min calls · openai/*, triage · until 2" in limits(key, "", time.time())
        assert "expired" in limits(key, "", key.expires_at)
        for wrong in (
            Asked(""), Asked("ci"), Asked("a", 0.0), Asked("a", rate="fast"), Asked("a", expires="1999-01-01"),
            Asked("a", models="x,,y"), Asked("sk-or-v1-0e6c1f9a0e6c1f9a0e6c1f9a"),
        ):  # fmt: skip
            with pytest.raises(BadInput):
                issued(database, wrong)
        assert len(listed(database)) == 1


def test_a_fetch_is_joined_and_tells_its_steps() -> None:
    go_on, begun = threading.Event(), list[str]()

    loaded, verify = threading.Event(), threading.Event()

    def slowly(model: str, report: weights.Report, fetched: weights.Fetched) -> None:
        begun.append(model)
        report("downloading")
        fetched(45_000_000, 90_000_000)
        loaded.set()
        verify.wait(30)
        report("verifying")
        go_on.wait(30)
        raise Missing("Could not download it.", "Check the network.")

    pulls = Pulls(slowly)
    pull = pulls.begin("smollm2-135m")
    assert pulls.begin("smollm2-135m") is pull
    assert loaded.wait(30)
    assert (pull.now, pull.share) == ("downloading: 45 MB", pytest.approx(1 / 6))
    verify.set()
    _until(lambda: len(pull.said) == 2)
    assert pull.now == "verifying"
    assert pull.share == pytest.approx(1 / 3) and not pull.is_over
    go_on.set()
    _until(lambda: pull.is_over)
    assert pull.error == "Could not download it. Check the network." and begun == ["smollm2-135m"]
    assert pulls.begin("smollm2-135m") is not pull


def test_a_damaged_deployment_is_listed_and_hides_no_other(data: Path) -> None:
    (data / "deployments/broken").mkdir(parents=True)
    (data / "deployments/broken/deployment.json").write_text("{")
    found = {one.name: one for one in local.here()}
    assert "cannot be read" in found["broken"].about and found["smollm2-135m"].kind == "model"


def _until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)
