"""The X-ray: the parts of a request together are the request, and each has its tokens and, where it is known, its price."""

from __future__ import annotations

import pytest
from chat_samples import IMAGE, Sample, document, picture, samples, summary, talk
from hypothesis import given, settings

from chapeta.chat.pictures import IMAGE_TOKENS, image_tokens
from chapeta.chat.request import build
from chapeta.chat.tokens import Estimate
from chapeta.chat.xray import dissected, look
from chapeta.errors import Missing
from chapeta.types import Price

PRICE = Price(2.0, 8.0)


def gone(attachment_id: str) -> bytes:
    raise Missing("It is gone.")


def test_a_request_is_taken_apart() -> None:
    turns = talk("Read it.", "I have.", "And this?", "Yes.", "What is in it?")
    second = document("d4", "t4", "two\n\nthree", name="b.md")
    files = {"t0": [document("d0", "t0", "one")], "t4": [second, picture("p", "t4", None)]}
    draft = build(turns, files, model="m", count=Estimate(), skill="Be brief.", room=9)
    seen = look(draft.body, turns[-1].text, Estimate(), PRICE, lambda _: IMAGE)
    assert [(piece.kind, piece.role, piece.label) for piece in seen.pieces] == [
        ("system", "system", ""), ("document", "user", "report.md"), ("history", "user", ""), ("history", "assistant", ""),
        ("history", "user", ""), ("history", "assistant", ""), ("image", "user", ""), ("document", "user", "b.md"),
        ("question", "user", ""),
    ]  # fmt: skip
    assert seen.settings == {"model": "m", "max_tokens": 9}
    assert seen.pieces[6].tokens == image_tokens(IMAGE) and not seen.exact
    assert seen.tokens - image_tokens(IMAGE) == pytest.approx(draft.tokens - IMAGE_TOKENS, abs=2)
    assert seen.usd == pytest.approx(seen.tokens * 2e-6)
    assert all(piece.usd == pytest.approx(piece.tokens * 2e-6) for piece in seen.pieces)


def test_an_unknown_price_is_never_nothing() -> None:
    body = build(talk("Hi"), {}, model="m", count=Estimate()).body
    seen = look(body, "Hi", Estimate(), None, gone)
    assert seen.usd is None and [piece.usd for piece in seen.pieces] == [None]
    assert look(body, "Hi", Estimate(), Price(0.0, 0.0), gone).usd == 0


def test_a_picture_that_is_gone_is_estimated_and_one_with_a_price_costs_that() -> None:
    body = build(talk("See?"), {"t0": [picture("p", "t0", None)]}, model="m", count=Estimate()).body
    [image, _] = look(body, "See?", Estimate(), Price(2.0, 8.0, image=5.0), gone).pieces
    assert (image.tokens, image.usd) == (IMAGE_TOKENS, pytest.approx(IMAGE_TOKENS * 5e-6))


def test_a_summary_is_told_apart() -> None:
    turns = talk("A", "B", "C", "D", "E")
    body = build(turns, {}, model="m", count=Estimate(), summary=summary("t3", "They spelt.")).body
    assert [found[0] for found in dissected(body, "E")] == ["summary", "question"]


@settings(deadline=None)  # the first one loads what reads documents
@given(samples())
def test_nothing_is_left_out_and_nothing_added(sample: Sample) -> None:
    draft = build(
        sample.turns, sample.attachments, model="m", count=Estimate(), skill=sample.skill, summary=sample.summary
    )
    contents = [message["content"] for message in draft.body["messages"]]
    texts = [one if isinstance(one, str) else "".join(item.get("text", "") for item in one) for one in contents]
    assert "".join(found[3] for found in dissected(draft.body, sample.turns[-1].text)) == "".join(texts)
    look(draft.body, sample.turns[-1].text, Estimate(), PRICE, gone)
