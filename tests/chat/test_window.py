"""The meter adds up, warns before the context overflows, and what it offers really makes the request fit."""

from __future__ import annotations

import pytest
from chat_samples import Sample, document, picture, samples, summary, talk
from hypothesis import given, settings
from hypothesis import strategies as st

from chapeta.chat.request import Draft, build
from chapeta.chat.tokens import Estimate
from chapeta.chat.types import Attachment
from chapeta.chat.window import SUMMARY_TOKENS, Full, Way, asking, default_room, fitted, measure, ways_out

WORDS = "some words of a long text " * 40  # 250 tokens or so
COUNT = Estimate()


def drafted(sample: Sample, **changed: object) -> Draft:
    given_: dict[str, object] = {"skill": sample.skill, "summary": sample.summary, "passage_tokens": 60, **changed}
    attachments = given_.pop("attachments", sample.attachments)
    return build(sample.turns, attachments, model="m", count=COUNT, **given_)  # type: ignore[arg-type]


def ways(draft: Draft, limit: int, room: int) -> dict[str, Way]:
    return {way.kind: way for way in ways_out(measure(draft, limit, room), draft, passage_tokens=60)}


def test_the_meter_by_kind() -> None:
    files = {"t2": [document("d", "t2", WORDS), picture("p", "t2")]}
    turns = talk("Hi", "Hello", "And this?")
    meter = measure(build(turns, files, model="m", count=COUNT, skill="Be kind."), 1000, 200)
    assert meter.documents > 200
    assert (meter.skill, meter.images, meter.summary, meter.exact) == (3, 9, 0, False)
    parts = meter.skill + meter.documents + meter.images + meter.history + meter.question
    assert meter.used == parts + meter.overhead
    assert meter.over == 0


def test_nothing_is_offered_while_there_is_space() -> None:
    draft = build(talk("Hi"), {}, model="m", count=COUNT)
    assert ways_out(measure(draft, 1000, 200), draft) == ()
    assert ways_out(measure(draft, None, 200), draft) == ()


def test_nearly_full_it_offers_what_loses_least() -> None:
    turns = talk(*[WORDS * 2] * 8, "Now?")
    draft = build(turns, {}, model="m", count=COUNT)
    meter = measure(draft, draft.tokens + 250, 200)
    assert meter.over == 0
    found = ways_out(meter, draft)
    assert [way.kind for way in found] == ["compact", "larger"]
    assert found[0].turn_ids == ("t0", "t1", "t2", "t3")
    assert 0 < found[0].tokens < 4 * COUNT(WORDS * 2) - SUMMARY_TOKENS
    assert found[1].tokens == draft.tokens + 200


def test_the_oldest_exchanges_go_first_and_no_more_than_needed() -> None:
    turns = talk(*[WORDS] * 4, "Now?")
    draft = build(turns, {}, model="m", count=COUNT)
    drop = ways(draft, draft.tokens + 200 - 100, 200)["drop"]
    assert drop.turn_ids == ("t0", "t1")
    assert drop.fits


def test_less_room_for_the_answer() -> None:
    draft = build(talk("Hi"), {}, model="m", count=COUNT)
    way = ways(draft, 1000, 1200)["room"]
    assert way.room == 1000 - draft.tokens
    assert "room" not in ways(draft, 200, 1200)


def test_a_skill_that_is_too_long_needs_a_larger_model() -> None:
    draft = build(talk("Hi"), {}, model="m", count=COUNT, skill=WORDS * 10)
    assert list(ways(draft, 1000, 100)) == ["larger"]


@pytest.mark.parametrize(("limit", "room"), [(None, 4096), (2048, 512), (1_000_000, 4096), (1, 1)])
def test_room_by_default(limit: int | None, room: int) -> None:
    assert default_room(limit) == room


@settings(deadline=None, max_examples=150)
@given(samples(), st.integers(20, 3000), st.integers(1, 500))
def test_what_is_offered_makes_it_fit(sample: Sample, limit: int, room: int) -> None:
    draft = drafted(sample)
    meter = measure(draft, limit, room)
    assert meter.over == max(0, draft.tokens + room - limit)
    found = ways(draft, limit, room)
    assert bool(found) >= bool(meter.over)
    for way in found.values():
        after, left = _done(way, sample, limit, room)
        assert after.parts[-1].kind == "question"
        assert after.parts[-1].text == sample.turns[-1].text.strip()
        assert [part for part in after.parts if part.kind == "skill"] == [p for p in draft.parts if p.kind == "skill"]
        if way.fits:
            assert measure(after, left[0], left[1]).over == 0, way
    if "drop" in found and not found["drop"].fits:  # then nothing but skill, summary and question is left of the chat
        rest, _ = _done(found["drop"], sample, limit, room)
        asked = sample.turns[-1].id
        assert all(part.turn_id in ("", asked) for part in rest.parts)


def _done(way: Way, sample: Sample, limit: int, room: int) -> tuple[Draft, tuple[int, int]]:
    """The request after a way was taken, and the limit and room that it has then."""
    if way.kind == "drop":
        return drafted(sample, dropped=way.turn_ids), (limit, room)
    if way.kind == "compact":
        text = "a" * 3190  # 798 tokens
        return drafted(sample, summary=summary(way.turn_ids[-1], text)), (limit, room)
    if way.kind == "relevant":
        attachments = {key: [_in_parts(a, way) for a in found] for key, found in sample.attachments.items()}
        return drafted(sample, attachments=attachments), (limit, room)
    return drafted(sample), (way.tokens, room) if way.kind == "larger" else (limit, way.room or 0)


def _in_parts(attachment: Attachment, way: Way) -> Attachment:
    if attachment.id not in way.attachment_ids:
        return attachment
    return document(attachment.id, attachment.turn_id, attachment.text, "relevant")


def test_what_fits_is_sent_as_it_is_and_a_tight_one_with_less_room() -> None:
    draft = build(talk("Hi"), {}, model="m", count=COUNT, room=500)
    assert fitted(draft, None) is draft
    assert fitted(draft, 100_000) is draft
    long = build(talk(WORDS * 10), {}, model="m", count=COUNT, room=default_room(4000))
    limit = long.tokens + 300
    assert fitted(long, limit).body == {**long.body, "max_tokens": 300}


def test_what_does_not_fit_is_refused_with_the_ways_out() -> None:
    files = [document("new-1", "", WORDS * 40)]
    turns, attachments = asking(talk("Hi", "Hello"), {}, "And this?", files)
    draft = build(turns, attachments, model="m", count=COUNT)
    assert draft.has_question
    with pytest.raises(Full, match=f"about {draft.tokens:,} tokens.*has 8,000") as error:
        fitted(draft, 8000)
    way = next(way for way in error.value.ways if way.kind == "relevant")
    assert way.fits and way.attachment_ids == ("new-1",)


def test_a_question_is_asked_of_an_empty_chat_too() -> None:
    turns, attachments = asking([], {}, "Hi", [])
    assert [turn.text for turn in turns] == ["Hi"] and turns[0].parent_id is None
    assert build(turns, attachments, model="m", count=COUNT).has_question
