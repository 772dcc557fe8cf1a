"""The one door: deployments by name, models by id or path, errors that name what was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from chapeta import deployments
from chapeta.errors import BadInput
from chapeta.gateway.door import Gateway
from chapeta.types import Candidate, Decoding, Labels, Message


def test_a_deployment_answers_by_its_name(home: Path, embedded_model: Path) -> None:
    candidate = Candidate("base", str(embedded_model), Decoding(8, Labels(("yes", "no"))), "Answer yes or no.")
    deployments.deploy("oracle", candidate)
    with Gateway() as gateway:
        found = gateway.candidate("oracle")
        answer = gateway.answer(found.render((Message("user", "Is water wet?"),)))
    assert answer.text in ("yes", "no")


def test_a_request_that_needs_more_room_gets_a_larger_context(home: Path, embedded_model: Path) -> None:
    candidate = Candidate("base", str(embedded_model), Decoding(2100, Labels(("yes", "no"))))
    with Gateway() as gateway:
        answer = gateway.answer(candidate.render((Message("user", "Is water wet?"),)))
        with pytest.raises(BadInput, match="8,192"):
            longer = Candidate("base", str(embedded_model), Decoding(9000))
            gateway.answer(longer.render((Message("user", "Is water wet?"),)))
    assert answer.text in ("yes", "no")


def test_unknown_names_list_what_there_is(home: Path) -> None:
    with Gateway() as gateway, pytest.raises(BadInput, match="No model or deployment is called 'nobody'"):
        gateway.candidate("nobody")
