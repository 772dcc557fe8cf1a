"""Cutting JSON into records: against Python's own reader, in chunks of any size, cut off anywhere."""

from __future__ import annotations

import io
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from chapeta.chat.imports.pieces import Piece, pieces

scalars = st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(max_size=20)
texts = st.text(alphabet='ab"\\[]{}\n,:é😀', max_size=12)
values = st.recursive(
    scalars | texts, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=8
)
records = st.lists(st.dictionaries(texts, values, max_size=4), max_size=6)


class Dripping(io.BytesIO):
    """A file that gives a few bytes at a time, as sockets and unpackers do."""

    step = 3

    def read1(self, _: int | None = -1, /) -> bytes:
        return super().read(self.step)


def cut(data: bytes, step: int, most: int = 1 << 20) -> list[Piece]:
    stream = Dripping(data)
    stream.step = step
    return list(pieces(stream, most))


@settings(max_examples=50)
@given(records, st.booleans(), st.sampled_from([None, 1]), st.integers(1, 9))
def test_a_list_is_cut_into_its_records(wanted: list[object], ascii_only: bool, indent: int | None, step: int) -> None:
    data = json.dumps(wanted, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "replace")
    found = cut(data, step)
    assert [json.loads(piece.data or b"") for piece in found] == json.loads(data)
    assert all(data[piece.start : piece.start + 1] == b"{" for piece in found)


@settings(max_examples=50)
@given(records, st.integers(1, 9))
def test_json_lines_and_a_wrapped_list_are_records_too(wanted: list[object], step: int) -> None:
    lines = "\n".join(json.dumps(record) for record in wanted).encode()
    assert [json.loads(piece.data or b"") for piece in cut(lines, step)] == json.loads(json.dumps(wanted))
    wrapped = json.dumps({"conversations": wanted, "more": {"a": [{"b": 1}]}}).encode()
    assert [json.loads(piece.data or b"") for piece in cut(wrapped, 1 << 20)][: len(wanted)] == json.loads(
        json.dumps(wanted)
    )


@settings(max_examples=50)
@given(records, st.data(), st.integers(1, 9))
def test_what_is_whole_of_a_cut_file_comes_and_the_place_is_named(
    wanted: list[object], data: st.DataObject, step: int
) -> None:
    whole = json.dumps(wanted).encode()
    end = data.draw(st.integers(1, len(whole) - 1)) if len(whole) > 1 else 1
    found = cut(whole[:end], step)
    assert found[-1].data is None
    assert (
        found[-1].problem
        == f"the file breaks off after byte {end - whole[:end].endswith(bytes([92]) * 1) * _odd(whole[:end]):,}"
    )
    kept = [json.loads(piece.data) for piece in found if piece.data is not None]
    assert kept == json.loads(whole)[: len(kept)]


def _odd(data: bytes) -> int:
    return (len(data) - len(data.rstrip(b"\\"))) % 2


@given(st.binary(max_size=200), st.integers(1, 7))
def test_anything_at_all_is_survived(data: bytes, step: int) -> None:
    for piece in cut(data, step):
        assert (piece.data is None) == bool(piece.problem)


def test_a_record_that_is_too_large_is_passed_over_and_the_next_one_comes() -> None:
    data = b'[{"a": "' + b"x" * 5000 + b'"}, {"b": 1}]'
    large, small = cut(data, 100, most=1000)
    assert (large.start, large.data, large.problem) == (1, None, "larger than 0 MiB")
    assert small.data == b'{"b": 1}'


def test_a_record_of_too_many_values_is_not_decoded() -> None:
    (piece,) = pieces(io.BytesIO(b'[{"a": [' + b"[]," * 1000 + b"1]}]"), most_memory_bytes=10_000)
    assert piece.data is None and "more values" in piece.problem


def test_deep_nesting_is_left_at_once() -> None:
    piece = cut(b"[" * 1_500_000, 1 << 20)[-1]
    assert "nested too deeply" in piece.problem


def test_a_stream_that_fails_gives_what_came_before() -> None:
    class Failing(io.BytesIO):
        def read1(self, _: int | None = -1, /) -> bytes:
            got = super().read(10)
            if not got:
                raise EOFError("no more")
            return got

    found = list(pieces(Failing(b'[{"a": 1}, {"b": 2}, {"c"')))
    assert [piece.data for piece in found] == [b'{"a": 1}', b'{"b": 2}', None]
    assert "damaged after byte 25 (no more)" in found[-1].problem
