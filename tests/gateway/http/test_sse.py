"""Server-sent events: whole events come out, whatever pieces they come in."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from chapeta.gateway.http import sse

ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
TEXT = st.text(st.characters(exclude_characters="\r\n", exclude_categories=("Cs",)), max_size=20)


def cut(stream: bytes, sizes: list[int]) -> list[bytes]:
    pieces, at = [], 0
    for size in sizes:
        pieces.append(stream[at : at + size])
        at += size
    return [piece for piece in (*pieces, stream[at:]) if piece]


@given(st.lists(TEXT, min_size=1, max_size=8), ENDS, st.lists(st.integers(1, 9), max_size=60), st.booleans())
def test_any_cut_gives_the_same_events(texts: list[str], end: bytes, sizes: list[int], comments: bool) -> None:
    objects = [{"text": text} for text in texts]
    parts = []
    for value in objects:
        comment = b": PROCESSING" + end + end if comments else b""
        parts.append(comment + b"data: " + json.dumps(value).encode() + end + end)
    stream = b"".join(parts) + b"data: [DONE]" + end + end
    events = sse.Events()
    out = b"".join(events.feed(piece) for piece in cut(stream, sizes))
    out += events.feed(b"\n") if events.rest else b""  # a lone \r at the end is half a line end
    assert sse.decoded(out) == objects
    assert b"PROCESSING" not in out
    assert out.endswith(sse.DONE)
    assert b"\r" not in out


@given(st.binary(max_size=200), st.lists(st.integers(1, 9), max_size=60))
def test_garbage_is_passed_on_or_kept_never_raised(garbage: bytes, sizes: list[int]) -> None:
    events = sse.Events()
    for piece in cut(garbage, sizes):
        out = events.feed(piece)
        assert not out or out.endswith(b"\n\n")
        sse.decoded(out)


def test_an_event_is_passed_on_as_it_came() -> None:
    event = b'event: x\nid: 7\ndata: {"choices": [ ], "of":"ours"}\n\n'
    assert sse.Events().feed(b": hello\n\n" + event) == event


def test_several_data_lines_are_one_object() -> None:
    assert sse.decoded(b'data: {"a":\ndata: 1}\n\ndata: 3\n\ndata: [DONE]\n\n') == [{"a": 1}]


def test_a_huge_event_takes_time_in_proportion_to_its_length() -> None:
    events = sse.Events()
    pieces = [b'data: "', *[b"x" * 65536] * 160, b'"\n\n']
    out = [events.feed(piece) for piece in pieces]
    assert not any(out[:-1])
    assert len(out[-1]) == sum(map(len, pieces))
