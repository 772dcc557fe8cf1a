"""Reading: every format comes back as it was written, and a broken file brings a clear error, never another one."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chapeta.errors import BadInput, ChapetaError
from chapeta.examples.read import BadRow, Columns, read
from chapeta.examples.source import MAX_LINE_BYTES
from chapeta.types import Example, Message

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t"), min_size=1, max_size=40
).filter(lambda text: bool(text.strip()))
FRAGMENTS = [
    *(b"text,label\n", b'"a', b'",b\n', b"\n", b"\xff", b'{"text":', b'"x","label":"y"}\n', b"[", b"]", b","),
    *(b'{"messages":[{"role":"user","content":"q"},', b'{"role":"assistant","content":null}]}\n', b"NaN"),
    *(b"PAR1", b"\x1f\x8b", b"\\ud800", b"1e999", b"\t", b";", b"\r", b"9" * 5000),
]
PAIRS = st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=8)


def kept(answer: str) -> str:
    return answer if "\n" in answer.strip() else answer.strip()


def asked_and_answered(path: Path, columns: Columns | None = None) -> list[tuple[str, str]]:
    rows = list(read(path, columns))
    assert all(isinstance(row, Example) for row in rows), rows
    return [(row.messages[0].content, row.answer) for row in rows if isinstance(row, Example)]


def written(folder: Path, content: str | bytes, name: str = "rows.jsonl") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def lines(*rows: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


JSON_ROWS: dict[str, Any] = {
    "OpenAI chat JSONL": lambda q, a: {
        "messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]
    },
    "prompt/completion JSONL": lambda q, a: {"prompt": q, "completion": a},
    "Alpaca JSONL": lambda q, a: {"instruction": q, "input": "", "output": a},
    "ShareGPT JSONL": lambda q, a: {"conversations": [{"from": "human", "value": q}, {"from": "gpt", "value": a}]},
    "input/output JSONL": lambda q, a: {"text": q, "label": a},
}


@pytest.mark.parametrize("name", JSON_ROWS)
@QUICK
@given(pairs=PAIRS, escaped=st.booleans(), bom=st.booleans(), zipped=st.booleans(), array=st.booleans())
def test_json_comes_back(
    tmp_path: Path, name: str, pairs: list[tuple[str, str]], escaped: bool, bom: bool, zipped: bool, array: bool
) -> None:
    rows = [JSON_ROWS[name](question, answer) for question, answer in pairs]
    text = (
        json.dumps(rows, ensure_ascii=escaped, indent=2)
        if array
        else "\r\n".join(json.dumps(row, ensure_ascii=escaped) for row in rows)
    )
    content = (b"\xef\xbb\xbf" if bom else b"") + text.encode()
    path = written(tmp_path, gzip.compress(content, 1) if zipped else content, "rows.data")
    assert read(path).format == (name.replace("JSONL", "JSON array") if array else name)
    assert asked_and_answered(path) == [(question, kept(answer)) for question, answer in pairs]


@pytest.mark.parametrize(("delimiter", "name"), [(",", "CSV"), (";", "CSV"), ("\t", "TSV")])
@QUICK
@given(pairs=PAIRS)
def test_delimited_comes_back(tmp_path: Path, delimiter: str, name: str, pairs: list[tuple[str, str]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerows([("text", "category"), *pairs])
    path = written(tmp_path, text.getvalue(), "rows.txt")
    assert read(path).format == name
    assert asked_and_answered(path) == [(question, kept(answer)) for question, answer in pairs]


@QUICK
@given(pairs=PAIRS)
def test_parquet_comes_back(tmp_path: Path, pairs: list[tuple[str, str]]) -> None:
    import pyarrow
    import pyarrow.parquet

    path = tmp_path / "rows.parquet"
    columns = {"q": [q for q, _ in pairs], "a": [a for _, a in pairs], "unused": [1] * len(pairs)}
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    assert read(path, Columns(input="q", output="a")).format == "Parquet"
    assert asked_and_answered(path, Columns("q", "a")) == [(question, kept(answer)) for question, answer in pairs]


def test_parquet_holds_conversations(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    path = tmp_path / "chat.parquet"
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    pyarrow.parquet.write_table(pyarrow.table({"messages": [turns, turns]}), path)
    assert asked_and_answered(path) == [("Hi", "Hello")] * 2


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.one_of(
        st.binary(max_size=300),
        st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
        st.lists(st.sampled_from(FRAGMENTS), max_size=12).map(b"".join),
    ),
    name=st.sampled_from(["a.jsonl", "a.csv", "a.json", "a.tsv", "a.parquet", "a"]),
)
def test_no_bytes_break_it(tmp_path: Path, content: bytes, name: str) -> None:
    path = written(tmp_path, content, name)
    try:
        rows = list(read(path))
    except ChapetaError as error:
        assert error.message
        assert error.remedy
        return
    for row in rows:
        if isinstance(row, BadRow):
            assert row.reason
            assert row.remedy
            row.value.encode()
        else:
            row.answer.encode()
            assert row.answer.strip()


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        (b"", "empty.jsonl", "is empty"),
        (b"\xef\xbb\xbf \n\n", "blank.csv", "is empty"),
        (bytes(range(256)) * 10, "noise.bin", "binary"),
        (b"PK\x03\x04rest", "book.xlsx", "Office"),
        ("text,label\na,b\n".encode("utf-16"), "wide.csv", "iconv -f UTF-16"),
        (b"only\none\ntwo\n", "one.csv", "one column only: only"),
        (b"foo,bar\na,b\n", "two.csv", "foo, bar"),
        (b'{"foo": 1, "bar": 2}\n', "keys.jsonl", "--input COLUMN"),
        (b"not json\nnor this\n", "text.jsonl", "line 1: The line is not valid JSON."),
        (b'[{"text": "a", "label": "b"}, {"text"', "cut.json", "element 2"),
        (b'[{"text": "a", "label": "b"}', "open.json", "no end"),
        (b'[{"text": "a", "label": "b"}]\n{"text": "c", "label": "d"}', "more.json", "goes on after"),
        (gzip.compress(b"text,label\n" + os.urandom(4000))[:-900], "cut.csv.gz", "cut.csv.gz"),
        (b"PAR1 broken", "x.parquet", "damaged Parquet"),
        (b"a,a\n1,2\n", "twice.csv", "'a' more than once"),
    ],
)
def test_bad_files_say_what_and_what_next(tmp_path: Path, content: bytes, name: str, says: str) -> None:
    path = written(tmp_path, content, name)
    with pytest.raises(BadInput) as caught:
        list(read(path))
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert caught.value.remedy


def test_directory_missing_and_forbidden(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is a directory"):
        read(tmp_path)
    with pytest.raises(BadInput, match="does not exist"):
        read(tmp_path / "no.csv")
    with pytest.raises(BadInput, match="not a regular file"):
        read("/dev/null")


def test_permission_denied(tmp_path: Path) -> None:
    """As an ordinary user: root may read everything, so a child process gives up being root first."""
    path = written(tmp_path, lines({"text": "a", "label": "b"}))
    path.chmod(0)
    tmp_path.chmod(0o755)
    for parent in (tmp_path.parent, tmp_path.parent.parent):
        parent.chmod(0o755)
    code = (
        "import os, sys\n"
        "from chapeta.examples.read import read\n"
        "if os.getuid() == 0: os.setuid(65534)\n"
        "try: read(sys.argv[1])\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=60)
    assert "BadInput" in done.stdout, done.stderr
    assert "permission denied" in done.stdout


def test_wrong_json_deep_in_the_file_names_its_line(tmp_path: Path) -> None:
    rows = [json.dumps({"prompt": f"q{i}", "completion": "a"}) for i in range(1, 7501)]
    rows[7311] = '{"prompt": "q", "completion": '
    bad = [row for row in read(written(tmp_path, "\n".join(rows))) if isinstance(row, BadRow)]
    assert [(row.line, row.reason) for row in bad] == [(7312, "The line is not valid JSON.")]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b'{"text": "a", "label": "\\ud83d"}', "lone surrogate"),
        (b'{"text": "a", "label": NaN}', "NaN"),
        (b'{"text": "a", "label": {"x": 1e999}}', "NaN"),
        (b'{"text": "a", "label": -Infinity}', "NaN"),
        (b'{"text": "\xff", "label": "b"}', "UTF-8"),
        (b'{"text": "a", "label": ""}', "answer is empty"),
        (b'{"text": "a", "label": null}', "answer is empty"),
        (b'{"text": "  ", "label": "b"}', "input is empty"),
        (b'{"text": "a", "label": "b", "weight": 0}', "weight 0"),
        (b'{"text": "a", "label": "b", "weight": 2}', "between 0 and 1"),
        (b'{"text": "a", "label": "b", "weight": "much"}', "between 0 and 1"),
        (b'{"prompt": "a", "completion": "b"}', "not input/output"),
        (b'["a", "b"]', "not a JSON object"),
        (b"a,b", "not valid JSON"),
        (b'{"text": "a", "label": ' + b"[" * 100_000, "nested"),
    ],
)
def test_a_bad_row_is_told_and_the_rest_goes_on(tmp_path: Path, row: bytes, reason: str) -> None:
    good = b'{"text": "a", "label": "b"}'
    found = list(read(written(tmp_path, b"\n".join([good, row, good]))))
    assert [type(item) for item in found] == [Example, BadRow, Example]
    assert isinstance(found[1], BadRow)
    assert reason in found[1].reason
    assert found[1].line == 2


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv"])
def test_a_huge_line_is_skipped_in_bounded_memory(tmp_path: Path, name: str) -> None:
    import tracemalloc

    good = '{"text": "a", "label": "b"}\n' if name == "rows.jsonl" else "a,b\n"
    path = tmp_path / name
    with path.open("w") as file:
        file.write(good if name == "rows.jsonl" else "text,label\na,b\n")
        for _ in range(100):
            file.write("x" * 1_000_000)
        file.write("\n" + good)
    tracemalloc.start()
    found = list(read(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [type(item) for item in found] == [Example, BadRow, Example]
    assert peak < 6 * MAX_LINE_BYTES


def test_a_huge_file_of_one_line_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    with path.open("w") as file:
        file.write('{"text": "')
        for _ in range(100):
            file.write("x" * 1_000_000)
    with pytest.raises(BadInput, match="longer than 8 MB"):
        read(path)


def test_an_open_quote_costs_one_row(tmp_path: Path) -> None:
    rows = ["text,label", "first,a", '"second,b', *[f"row {i},c" for i in range(5000)]]
    found = list(read(written(tmp_path, "\n".join(rows), "rows.csv")))
    bad = [row for row in found if isinstance(row, BadRow)]
    assert [(row.line, row.reason) for row in bad] == [(3, "A quoted field has no end.")]
    assert len(found) - len(bad) == 5001


def test_csv_rows_with_wrong_width_and_bytes(tmp_path: Path) -> None:
    content = b'text,label\n"two\nlines",a\nx,y,z\n\xe9t\xe9,b\nlast,c\n'
    found = list(read(written(tmp_path, content, "rows.csv")))
    assert [(row.line, isinstance(row, Example)) for row in found] == [(2, True), (4, False), (5, False), (6, True)]
    assert isinstance(found[1], BadRow)
    assert "3 columns, expected 2" in found[1].value


def test_column_options(tmp_path: Path) -> None:
    path = written(tmp_path, "id,frage,team,kunde,w\n1,Hallo,post,k7,0.5\n", "rows.csv")
    found = list(read(path, Columns(input="frage", output="team", group="kunde", weight="w")))
    assert found == [Example((Message("user", "Hallo"),), "post", 0.5, (), "k7", 2)]
    with pytest.raises(BadInput, match=r"no column 'nope' \(--group\). Its columns: id, frage, team, kunde, w"):
        read(path, Columns(input="frage", output="team", group="nope"))
    with pytest.raises(BadInput, match="both input and output"):
        read(path, Columns(input="team", output="team"))


def test_standard_input_is_read_more_than_once() -> None:
    code = (
        "from chapeta.examples.read import read\n"
        "rows = read('-')\n"
        "print(rows.format, rows.source.name, len(list(rows)), len(list(rows)))"
    )
    content = lines(*[{"prompt": f"q{i}", "completion": "a"} for i in range(10)]).encode()
    done = subprocess.run([sys.executable, "-c", code], input=content, capture_output=True, timeout=60)
    assert done.stdout.decode().strip() == "prompt/completion JSONL standard input 10 10", done.stderr.decode()


def test_progress_ends_at_one(tmp_path: Path) -> None:
    seen: list[tuple[str, float]] = []
    path = written(tmp_path, lines(*[{"text": f"q{i}", "label": "a"} for i in range(3000)]))
    list(read(path, progress=lambda stage, share: seen.append((stage, share))))
    assert seen[-1] == ("read", 1.0)
    assert [share for _, share in seen] == sorted(share for _, share in seen)
