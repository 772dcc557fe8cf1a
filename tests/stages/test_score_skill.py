"""Versions of a skill are scored on the rows that a run would hold back, by the embedded model."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))
from command import chapeta, write_rows

from chapeta import config
from chapeta.bench.answers import AnswerStore
from chapeta.errors import BadInput, Missing, OverLimit
from chapeta.examples import datasets
from chapeta.gateway.door import Gateway
from chapeta.skills import scores, store
from chapeta.stages import score_skill
from chapeta.stages.estimate import Estimate
from serving import point
from standin.server import Standin

MODEL = "smollm2-135m"
TEXT = "---\nname: desks\ndescription: Sorts notes.\n---\n\nSay which desk a note is for{}.\n"


@pytest.fixture
def gateway(home: Path, tmp_path: Path) -> Iterator[Gateway]:
    datasets.import_file("desk", write_rows(tmp_path / "desk.csv", 40))
    store.save("desks", TEXT.format(""))
    store.save("desks", TEXT.format(": billing or delivery"))
    with Gateway() as gateway:
        yield gateway


@pytest.fixture
def answers(home: Path) -> Iterator[AnswerStore]:
    with AnswerStore(config.home() / "answers.sqlite") as store:
        yield store


def test_each_version_gets_a_score_on_the_rows_that_are_held_back(gateway: Gateway, answers: AnswerStore) -> None:
    measure = score_skill.measure_for("desk", MODEL, gateway)
    assert {row.id for row in measure.rows} == {row.id for row in datasets.split("desk").test}
    which = score_skill.chosen("desks", (1, 2))
    found = score_skill.score_versions("desks", which, measure, gateway, answers)
    assert [score.sha256 for score in found] == [version.sha256 for version in which]
    for score in found:
        assert 0 <= score.low <= score.value <= score.high <= 1
        assert (score.metric, score.rows, score.errors, score.usd_per_1000_calls) == (
            "accuracy",
            len(measure.rows),
            0,
            0.0,
        )
    assert found[1].tokens_in > found[0].tokens_in
    assert {score.sha256 for score in scores.scores("desks")} == {score.sha256 for score in found}
    assert len(scores.series(scores.scores("desks"))) == 1


def test_the_newest_is_meant_and_what_is_not_there_is_said(gateway: Gateway) -> None:
    assert [version.number for version in score_skill.chosen("desks")] == [2]
    with pytest.raises(BadInput, match="no version 7"):
        score_skill.chosen("desks", (7,))
    with pytest.raises(BadInput, match="has no version"):
        score_skill.chosen("nothing")
    with pytest.raises(Missing, match="no dataset 'other'"):
        score_skill.measure_for("other", MODEL, gateway)


def test_a_provider_is_not_paid_before_it_is_agreed(gateway: Gateway, answers: AnswerStore, home: Path) -> None:
    with Standin(None, "openai") as upstream:
        point(home, "mine", upstream.url, needs_key=False, usd_per_mtok_input=1.0, usd_per_mtok_output=2.0)
        upstream.say("billing")
        with Gateway() as fresh:
            measure = score_skill.measure_for("desk", "mine/openai/gpt-4.1-mini", fresh)
            which = score_skill.chosen("desks", (1, 2))
            price = score_skill.price("desks", which, measure, fresh, answers)
            assert price.calls == 2 * len(measure.rows) and price.usd > 0 and price.unpriced == ()

            def refuse(estimate: Estimate) -> None:
                raise OverLimit(str(estimate))

            with pytest.raises(OverLimit):
                score_skill.score_versions("desks", which, measure, fresh, answers, approve=refuse)
            assert not upstream.chats
            [score] = score_skill.score_versions("desks", which[1:], measure, fresh, answers)
            assert score.value == sum(row.answer == "billing" for row in measure.rows) / len(measure.rows)
            assert score_skill.price("desks", which[1:], measure, fresh, answers).calls == 0


def test_the_command_says_version_score_and_interval(gateway: Gateway) -> None:
    done = chapeta("skill", "score", "desks", "desk", "--versions", "1", "--rows", "4")
    assert done.returncode == 0, done.stderr
    number, metric, share, *rest = done.stdout.split()
    assert (number, metric) == ("1", "accuracy") and share.endswith("%") and "4 rows" in " ".join(rest)
    wrong = chapeta("skills", "score", "desks", "desk", "--versions", "x")
    assert wrong.returncode == 2 and "are no versions" in wrong.stderr
