"""The check report of files whose faults are known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chapeta.errors import BadInput, TooManyBadRows
from chapeta.examples.check import check, good_examples


def words(text: str) -> int:
    return len(text.split())


def written(folder: Path, rows: list[object]) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def row(text: str, label: str = "post") -> dict[str, str]:
    return {"text": text, "label": label}


def test_everything_is_counted_and_named_by_line(tmp_path: Path) -> None:
    long = "please tell me where the parcel with the blue winter coat for my mother is now"
    path = written(
        tmp_path,
        [
            row("where is it"),  # 1
            row("where is it"),  # 2 repeats 1
            row("where is it", "money"),  # 3 contradicts 1
            row(long),  # 4
            row(long.replace("now", "today") + "!"),  # 5 nearly 4
            row("write to jane@example.org", "money"),  # 6
            "{broken",  # 7
            row("", "post"),  # 8
            row("where is my money", "money"),  # 9
        ],
    )
    report = check(path, count_tokens=words, accepted_bad_share=0.5)
    assert (report.format, report.rows, report.good, report.bad) == ("input/output JSONL", 9, 7, 2)
    assert [bad.line for bad in report.bad_rows] == [7, 8]
    assert report.bad_by_reason == {"The line is not valid JSON.": 1, "The input is empty.": 1}
    assert (report.exact_duplicates, report.near_duplicates) == (1, 2)
    assert report.near_clusters == ((1, 2, 3), (4, 5))
    assert (report.conflicts, report.conflict_lines, report.near_conflicts) == (1, ((1, 2, 3),), 1)
    assert [(found.kind, found.line) for found in report.findings] == [("e-mail", 6)]
    assert report.findings_by_kind == {"e-mail": 1}
    assert report.labels == {"post": 4, "money": 3}
    assert report.lengths is not None
    assert (report.lengths.min, report.lengths.median, report.lengths.max) == (4, 4, 17)
    assert json.loads(json.dumps(report.to_json()))["bad_share"] == pytest.approx(2 / 9)
    report.require_good()


def test_too_many_bad_rows(tmp_path: Path) -> None:
    path = written(tmp_path, [*[row(f"question {i}") for i in range(9)], "{broken"])
    with pytest.raises(TooManyBadRows, match=r"1 of 10 rows.*10.0 %, accepted are 5.0 %.*line 10"):
        check(path).require_good()
    check(path, accepted_bad_share=0.1).require_good()


def test_no_good_row_is_too_few_whatever_the_share(tmp_path: Path) -> None:
    report = check(written(tmp_path, [row(""), row(" ")]), accepted_bad_share=1.0)
    with pytest.raises(TooManyBadRows):
        report.require_good()


def test_a_table_without_rows_is_bad_input(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text,label\n")
    with pytest.raises(BadInput, match="no example after its first line"):
        check(path)


def test_rows_over_the_context_are_bad_by_the_exact_count_only(tmp_path: Path) -> None:
    """100 tokens of context, 24 for marks: 75 words and 1 fit exactly, 76 and 1 do not, whatever their bytes."""
    path = written(tmp_path, [row("longword " * 75), row("longword " * 76), row("short")])
    report = check(path, count_tokens=words, context_tokens=100, accepted_bad_share=0.5)
    assert [(bad.line, bad.value) for bad in report.bad_rows] == [(2, "101 tokens")]
    assert [good.line for good in good_examples(path, None, words, 100)] == [1, 3]


def test_free_text_has_no_class_balance(tmp_path: Path) -> None:
    assert check(written(tmp_path, [row(f"q {i}", f"answer {i}") for i in range(20)])).labels is None


def test_only_the_first_thousand_bad_rows_are_kept(tmp_path: Path) -> None:
    report = check(written(tmp_path, [row("good"), *["{"] * 1500]))
    assert (report.bad, len(report.bad_rows)) == (1500, 1000)


def test_progress_names_both_stages(tmp_path: Path) -> None:
    stages: list[str] = []
    check(written(tmp_path, [row("a"), row("b")]), progress=lambda stage, _share: stages.append(stage))
    assert list(dict.fromkeys(stages)) == ["read", "compare"]


def test_fields_of_json_answers_have_their_balance(tmp_path: Path) -> None:
    rows = [
        {"prompt": f"{n} boxes", "completion": json.dumps({"size": n, "kind": "ab"[n % 3 == 0], "note": f"n{n}"})}
        for n in range(30)
    ]
    report = check(written(tmp_path, list(rows)))
    assert report.labels is None
    assert report.fields == {"kind": {"a": 20, "b": 10}}
    assert check(written(tmp_path, [row("text one"), row("text two", "mail")])).fields is None
