"""Deployments keep a candidate whole, with their own copy of the adapter."""

from __future__ import annotations

from pathlib import Path

import pytest

from chapeta import deployments
from chapeta.errors import BadInput
from chapeta.examples.nearest import Nearest
from chapeta.types import Candidate, Decoding, Example, Labels, Message, Schema

SHOT = Example((Message("user", "where is it?"),), "delivery")


@pytest.mark.parametrize(
    "candidate",
    [
        Candidate("base", "m", Decoding(4, Labels(("a", "b"))), "Choose."),
        Candidate("few-shot", "m", Decoding(4), "Choose.", shots=(SHOT,)),
        Candidate("skill", "m", Decoding(4, Schema({"type": "object"})), "Long text."),
    ],
    ids=lambda c: c.name,
)
def test_what_is_deployed_comes_back(home: Path, candidate: Candidate) -> None:
    deployments.deploy("it", candidate)
    assert deployments.find("it") == candidate
    assert deployments.names() == ("it",)


def test_nearest_still_finds_its_examples(home: Path) -> None:
    pool = (SHOT, Example((Message("user", "refund my money"),), "billing"))
    deployments.deploy("it", Candidate("nearest", "m", Decoding(4), retriever=Nearest(pool, 1)))
    found = deployments.find("it")
    assert found is not None
    shown = found.render((Message("user", "the money please"),)).messages
    assert [m.content for m in shown] == ["refund my money", "billing", "the money please"]


def test_the_adapter_is_copied_and_replaced(home: Path, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter.gguf"
    adapter.write_bytes(b"one")
    deployments.deploy("it", Candidate("tuned", "m", Decoding(4), adapter=str(adapter)))
    first = deployments.find("it")
    adapter.write_bytes(b"two, longer")
    deployments.deploy("it", Candidate("tuned", "m", Decoding(4), adapter=str(adapter)))
    second = deployments.find("it")
    assert first is not None and second is not None and first.adapter and second.adapter
    assert not Path(first.adapter).exists()
    assert Path(second.adapter).read_bytes() == b"two, longer"


@pytest.mark.parametrize("name", ["", "Has Space", "../up", "a--b", "-a", "x" * 65])
def test_bad_names_are_refused(home: Path, name: str) -> None:
    with pytest.raises(BadInput, match="cannot be a name"):
        deployments.deploy(name, Candidate("base", "m", Decoding(4)))
    assert deployments.find(name) is None


def test_a_removed_name_answers_no_more(home: Path) -> None:
    deployments.deploy("it", Candidate("base", "m", Decoding(4)))
    assert deployments.remove("it")
    assert deployments.find("it") is None
    assert not deployments.remove("it")
    assert not deployments.remove("../it")
