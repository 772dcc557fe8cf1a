"""Bad input: one clear line that names the value and the next step, an exit code, no traceback, nothing lost."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command import chapeta, write_rows


def one_line_error(words: list[str], code: int, *parts: str, stdin: bytes | None = None) -> None:
    done = chapeta(*words, stdin=stdin)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("chapeta: ")
    for part in parts:
        assert part in last, last


def jsonl(path: Path, rows: list[object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_files_that_cannot_be_examples(home: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    binary = tmp_path / "photo.jsonl"
    binary.write_bytes(bytes(range(256)) * 40)
    column = tmp_path / "column.csv"
    column.write_text("text\nhello\nworld\n")
    one_line_error(["check", str(empty)], 2, "empty.jsonl")
    one_line_error(["check", str(binary)], 2, "photo.jsonl")
    one_line_error(["check", str(column)], 2, "text")
    one_line_error(["check", str(tmp_path)], 2, str(tmp_path))
    one_line_error(["check", str(tmp_path / "missing.csv")], 2, "missing.csv")
    one_line_error(["split", "-"], 2, "--name")


def test_a_file_without_permission(tmp_path: Path) -> None:
    """In a process that is nobody, since root may read everything; the imports come first, while it still may."""
    secret = write_rows(tmp_path / "secret.csv")
    secret.chmod(0)
    script = (
        "import os, sys; from chapeta.cli.main import main; import chapeta.cli.check, chapeta.cli.draw;"
        "import chapeta.cli.show_check, chapeta.gateway.door, chapeta.stages.prepare; os.geteuid() or os.setuid(65534);"
        f"sys.exit(main(['check', {str(secret)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "secret.csv" in done.stderr.strip().splitlines()[-1]


def test_a_data_directory_without_permission(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "models").mkdir(parents=True)
    closed.chmod(0)
    script = (
        "import os, sys; from chapeta.cli.main import main; import chapeta.cli.models, chapeta.deployments;"
        "import chapeta.engine.weights; os.geteuid() or os.setuid(65534); sys.exit(main(['models', 'list']))"
    )
    environment = {**os.environ, "CHAPETA_HOME": str(closed)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, env=environment
    )  # fmt: skip
    closed.chmod(0o700)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert str(closed) in done.stderr and "CHAPETA_HOME" in done.stderr


def test_one_bad_line_is_reported_and_the_rest_goes_on(home: Path, tmp_path: Path) -> None:
    rows = [json.dumps({"prompt": f"question {n} about {n * 7}", "completion": f"answer {n}"}) for n in range(400)]
    rows[311] = '{"prompt": "broken'
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(rows), encoding="utf-8")
    done = chapeta("check", str(file), "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 0
    assert (report["good"], report["bad"], report["bad_rows"][0]["line"]) == (399, 1, 312)


def test_too_many_bad_rows_end_with_code_3(home: Path, tmp_path: Path) -> None:
    rows: list[object] = [{"prompt": f"q{n} {n * 13}", "completion": "" if n % 3 == 0 else f"a{n}"} for n in range(90)]
    one_line_error(["check", str(jsonl(tmp_path / "rows.jsonl", rows))], 3, "30 of 90 rows", "rows.jsonl")


def test_data_with_nothing_to_learn(home: Path, tmp_path: Path) -> None:
    alike = jsonl(tmp_path / "alike.jsonl", [{"prompt": "same", "completion": "same"}] * 50)
    single = jsonl(
        tmp_path / "single.jsonl", [{"prompt": f"text {n} {n * 31}", "completion": "yes"} for n in range(50)]
    )
    three = jsonl(tmp_path / "three.jsonl", [{"prompt": f"text {n}", "completion": f"{n % 2}"} for n in range(3)])
    for file in (alike, single, three):
        one_line_error(["split", str(file)], 2, "chapeta:")


def test_gzip_bom_and_standard_input_are_read(home: Path, tmp_path: Path) -> None:
    content = b"\xef\xbb\xbf" + write_rows(tmp_path / "rows.csv").read_bytes()
    packed = tmp_path / "rows.csv.gz"
    packed.write_bytes(gzip.compress(content))
    assert json.loads(chapeta("check", str(packed), "--json").stdout)["good"] == 60
    assert json.loads(chapeta("check", "-", "--json", stdin=content).stdout)["good"] == 60


def test_a_folder_that_is_not_a_run_is_not_touched(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter.txt").write_text("mine")
    file = write_rows(tmp_path / "rows.csv")
    one_line_error(["split", str(file), "--out", str(folder)], 2, "thesis", "--out")
    assert [p.name for p in folder.iterdir()] == ["chapter.txt"]


def test_a_mistyped_path_does_not_hold_the_name_of_the_run(home: Path, tmp_path: Path) -> None:
    one_line_error(["split", str(tmp_path / "wrong" / "rows.csv")], 2, "rows.csv does not exist")
    assert chapeta("split", str(write_rows(tmp_path / "rows.csv"))).returncode == 0
    (tmp_path / "other").mkdir()
    other = write_rows(tmp_path / "other" / "rows.csv")
    one_line_error(["split", str(other)], 2, "was made from", "--name my-task")


def test_options_that_make_no_sense(home: Path, tmp_path: Path) -> None:
    file = str(write_rows(tmp_path / "rows.csv"))
    one_line_error(["split", file, "--candidates", "base,magic"], 2, "'magic'", "few-shot")
    one_line_error(["split", file, "--name", "No Good"], 2, "'No Good'")
    one_line_error(["split", file, "--model", "llama-99"], 2, "'llama-99'")
    one_line_error(["split", file, "--model", "gpt-99"], 4, "No OpenAI key", "chapeta keys set openai")
    one_line_error(["split", file, "--limit-minutes", "-1"], 2, "--limit-minutes")
    one_line_error(["bench", "no-such-run"], 4, "no-such-run")
    one_line_error(["ask", "nobody", "hello"], 2, "'nobody'")
    one_line_error(["verify", str(tmp_path)], 4, str(tmp_path), "Runs:")


def test_a_full_disk_is_named(home: Path, tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    from chapeta.errors import BadInput
    from chapeta.files import disk_errors

    with pytest.raises(BadInput, match=r"No space left .* Free some space"), disk_errors(Path("/dev/full")):
        Path("/dev/full").write_text("x" * 100)
