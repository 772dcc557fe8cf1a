"""The page of `chapeta check`, printed for real reports of real files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.cells import cell_len

from chapeta.cli.show_check import show_check
from chapeta.examples.check import check

PARCEL = "My parcel with the blue winter coat was due last Monday and the tracking page has not moved since then."


def write(path: Path, rows: list[tuple[str, str]]) -> Path:
    lines = [json.dumps({"prompt": prompt, "completion": answer}) for prompt, answer in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    """11 good rows and 3 bad ones: a repeat, a near repeat, a contradiction, an address, and markup as data."""
    rows = [
        (PARCEL, "delivery"),
        (PARCEL, "delivery"),
        (PARCEL.replace("Monday", "Tuesday"), "delivery"),
        ("I was charged twice", "billing"),
        ("I was charged twice", "account"),
        ("write to jane.doe@example.org please", "account"),
        ("[bold red]is this markup?[/]", "account"),
        ("", "billing"),
        ("[red]no answer here[/red] and a very long line " + "that goes on " * 20, ""),
        ("no answer here either", "  "),
        ("the coat is too small", "[b]returns[/b]"),
        ("the boots leak", "[b]returns[/b]"),
        ("which size fits 1.80 m?", "[b]returns[/b]"),
        ("where do I send it back", "[b]returns[/b]"),
    ]
    return write(tmp_path / "tickets.jsonl", rows)


def page(capsys: pytest.CaptureFixture[str], path: Path, every: bool = False, context_tokens: int = 8192) -> str:
    show_check(check(path, context_tokens=context_tokens), every, context_tokens)
    return capsys.readouterr().out.replace("\u00a0", " ")


def section(text: str, title: str) -> list[str]:
    """The lines below a title, up to the next empty line."""
    lines = [line.rstrip() for line in text.splitlines()]
    start = lines.index(title) + 1
    end = lines.index("", start) if "" in lines[start:] else len(lines)
    return [line.strip() for line in lines[start:end]]


def test_counts_and_format_come_first(
    messy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    text = page(capsys, messy)
    head = [line.strip() for line in text.splitlines()[:4]]
    report = check(messy)
    assert head == [report.source, report.format, "14 rows: 11 good, 3 bad", "21.4 % are bad; accepted are 5.0 %"]


def test_bad_rows_are_grouped_by_reason_with_remedy(messy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = section(page(capsys, messy), "Bad rows")
    assert lines[0] == "The answer is empty. (2 rows)"
    assert lines[1] == "Give the row an answer, or delete it."
    assert lines[2] == "lines 9, 10"
    assert lines[3] == "The input is empty. (1 row)"
    assert lines[5] == "line 8"


def test_a_bad_row_shows_what_was_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "chat.jsonl"
    good = '{"prompt": "where is it", "completion": "delivery", "weight": 1}'
    file.write_text(good + "\n" + good.replace("1}", '"[red]heavy[/red]"}') + "\n", encoding="utf-8")
    lines = section(page(capsys, file), "Bad rows")
    assert lines[0] == "A weight is not a number between 0 and 1. (1 row)"
    assert lines[2].split() == ["line", "2", "[red]heavy[/red]"]


def test_repeats_and_contradictions_name_their_lines(messy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = page(capsys, messy)
    repeated, torn = section(text, "Repeated rows"), section(text, "Contradictions")
    assert repeated == ["1 exact duplicate, 2 near duplicates", "lines 1, 2, 3", "lines 4, 5"]
    assert torn[:2] == ["1 input with different answers", "lines 4, 5"]


def test_personal_data_is_a_warning_and_masked(messy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = page(capsys, messy)
    lines = section(text, "Secrets and personal data")
    assert lines[0] == "Warning: e-mail, 1 found"
    assert lines[1].split() == ["line", "6", "ja…rg"]
    assert "jane.doe" not in text


def test_labels_have_bars_in_proportion_and_markup_stays_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = {"[b]returns[/b]": 24, "delivery": 12, "配送の問題": 4}
    rows = [(f"{label} question {n}", label) for label, count in counts.items() for n in range(count)]
    lines = section(page(capsys, write(tmp_path / "labels.jsonl", rows)), "Labels")
    assert [line.split()[0] for line in lines] == list(counts)
    assert [line.count("█") for line in lines] == [30, 15, 5]
    assert [line.split(maxsplit=2)[2].split(None, 1) for line in lines] == [
        ["24", "60 %"],
        ["12", "30 %"],
        ["4", "10 %"],
    ]
    assert len({cell_len(line) for line in lines}) == 1


def test_a_single_label_is_remarked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [(f"question {n}", "delivery") for n in range(20)]
    lines = section(page(capsys, write(tmp_path / "one.jsonl", rows)), "Labels")
    assert lines[1] == "Every row has the same value: there is nothing to learn."


def test_many_labels_are_cut_short(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [(f"question {n} of {label}", f"intent {label}") for label in range(26) for n in range(5)]
    file = write(tmp_path / "intents.jsonl", rows)
    lines = section(page(capsys, file), "Labels")
    assert len(lines) == 21
    assert lines[-1] == "and 6 more; the rarest has 5 rows"
    assert len(section(page(capsys, file, every=True), "Labels")) == 26


def test_every_line_fits_80_columns(
    messy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for every in (False, True):
        assert all(cell_len(line.rstrip()) <= 80 for line in page(capsys, messy, every).splitlines())


def test_ten_bad_rows_are_shown_and_all_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "bad.jsonl", [("fine", "yes")] + [("no answer", "")] * 14)
    first, every = section(page(capsys, file), "Bad rows"), section(page(capsys, file, every=True), "Bad rows")
    assert first[2:] == ["lines 2, 3, 4, 5, 6, 7, 8, 9, 10, 11", "and 4 more; --all shows them"]
    assert every[2:] == ["lines 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15"]


def test_lengths_stand_against_the_context(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # Without a tokenizer four bytes are a token: 36 + 4 bytes are 10 tokens.
    file = write(tmp_path / "short.jsonl", [("x" * 36, "good"), ("y" * 36, "poor")])
    lines = section(page(capsys, file, context_tokens=100), "Lengths")
    assert lines[3].split() == ["longest", "10", "tokens,", "10.0", "%", "of", "the", "context", "of", "100"]
    assert lines[4] == "Estimated from the bytes of the text."


def test_a_clean_file_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    questions = ["where is it", "how much", "who are you", "when do you open"]
    text = page(capsys, write(tmp_path / "clean.jsonl", [(question, "yes") for question in questions]))
    assert "Bad rows" not in text
    for title in ("Repeated rows", "Contradictions", "Secrets and personal data"):
        assert section(text, title) == ["none"]


def test_control_characters_do_not_reach_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = [("a", "\x1b[2Jgone"), ("b", "\x1b[2Jgone"), ("c", "over\x1b]0;t\x07"), ("d", "over\x1b]0;t\x07")]
    file = write(tmp_path / "odd.jsonl", [(f"{name} {n}", label) for n in range(9) for name, label in labels])
    text = page(capsys, file)
    assert "\x1b" not in text and "\x07" not in text
    assert "�[2Jgone" in text
