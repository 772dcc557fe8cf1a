"""The documentation tells the truth: generated help is fresh, samples are read, commands run and print what is shown.

Commands are the lines that start with "$ " in blocks marked `console`; the lines below one are output that it must print,
in this order, where … stands for anything. Blocks marked `sh` take too long or need more, and are not run.
"""

from __future__ import annotations

import dataclasses
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from chapeta.bench.results import BenchResult, CandidateResult, Estimate, Verdict
from chapeta.examples.check import CheckReport
from chapeta.examples.read import read
from chapeta.examples.split import SplitReport
from chapeta.specialize import Outcome
from chapeta.types import Answer, Example, Usage

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("design/*.md"), *ROOT.glob("examples/*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]+\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
MOST_LINES = 120


def blocks(page: Path, language: str) -> list[str]:
    return [body for kind, body in BLOCK.findall(page.read_text(encoding="utf-8")) if kind == language]


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


WITH_COMMANDS = [page for page in PAGES if blocks(page, "console")]
FORMATS_PAGE = (ROOT / "docs/guides/examples.md").read_text(encoding="utf-8")
SAMPLES = [
    (title, *block)
    for title, body in re.findall(r"^### (.+)\n([^#]*)", FORMATS_PAGE, re.MULTILINE)
    for block in BLOCK.findall(body)
]


def test_the_command_page_is_what_the_script_writes() -> None:
    rendered = runpy.run_path(str(ROOT / "scripts/write_command_docs.py"))["rendered"]
    page = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    # words only: Python versions may break argparse's lines at different places
    assert page.split() == rendered().split(), "run: python scripts/write_command_docs.py"


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=named)
def test_shown_commands_run_and_print_what_is_shown(page: Path, home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "examples").symlink_to(ROOT / "examples")
    environment = with_command_on_path(tmp_path / "bin", home)
    for body in blocks(page, "console"):
        for command, shown in commands_of(body):
            done = subprocess.run(
                ["bash", "-o", "pipefail", "-c", command], cwd=folder, env=environment, timeout=120, check=False,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
            )  # fmt: skip
            assert done.returncode == 0, f"{named(page)}: $ {command}\n{done.stdout}"
            missing = first_missing(shown, done.stdout)
            assert missing is None, f"{named(page)}: $ {command}\nshown but not printed: {missing}\n{done.stdout}"


def test_there_are_commands_and_samples_to_test() -> None:
    assert len(WITH_COMMANDS) >= 4
    assert len(SAMPLES) >= 6


@pytest.mark.parametrize(("title", "kind", "text"), SAMPLES, ids=[title for title, _, _ in SAMPLES])
def test_samples_of_formats_are_read_under_the_name_they_are_shown_with(
    title: str, kind: str, text: str, tmp_path: Path
) -> None:
    file = tmp_path / f"rows.{kind}"
    file.write_text(text, encoding="utf-8")
    rows = read(file)
    found = list(rows)
    assert rows.format == title
    assert len(found) == 2
    assert all(isinstance(row, Example) for row in found)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), f"{named(page)} links to {target}"
        if anchor:
            assert anchor in anchors(file), f"{named(page)} links to {target}#{anchor}"


@pytest.mark.parametrize("page", [p for p in PAGES if p.is_relative_to(ROOT / "docs/guides")], ids=named)
def test_guides_are_short(page: Path) -> None:
    assert len(page.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_the_json_page_names_every_field() -> None:
    estimate = Estimate(0.5, 0.4, 0.6, 10)
    candidate = CandidateResult("base", "accuracy", estimate, {}, 1.0, 1.0, 0.0, 1.0, 1.0, False)
    bench = BenchResult("t", "accuracy", 10, (), (candidate,), ())
    outcome = Outcome(
        bench, Verdict("base", "use", (), True, 0.02), Path("report.html"), Path("receipt"), "t"
    ).to_json()
    verdict = {f"verdict.{name}" for name in outcome["verdict"]}
    sections = sections_of(ROOT / "docs/json.md")
    whole = {*outcome["candidates"][0], *verdict, *(outcome.keys() - {"candidates", "verdict"})}
    assert table_names(sections["specialize, bench, verdict"]) == whole
    assert table_names(sections["check"]) == {*field_names(CheckReport), "bad_share"}
    assert table_names(sections["split"]) == {*field_names(SplitReport), "run"}
    assert {*field_names(Answer), *field_names(Usage)} <= set(re.findall(r"`(\w+)`", sections["ask"]))


def commands_of(body: str) -> list[tuple[str, list[str]]]:
    """Each command of a block and the output lines that are shown below it."""
    found: list[tuple[str, list[str]]] = []
    for line in body.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


def first_missing(shown: list[str], printed: str) -> str | None:
    """The first shown line that is not printed after those before it; None if all are. Others may stand between."""
    lines = iter(printed.splitlines())
    for line in shown:
        pattern = ".*".join(map(re.escape, line.rstrip().split("…")))
        if line.strip() != "…" and not any(re.fullmatch(pattern, given.rstrip()) for given in lines):
            return line
    return None


def with_command_on_path(folder: Path, home: Path) -> dict[str, str]:
    """An environment in which `chapeta` is this checkout's, whether it is installed or not."""
    folder.mkdir()
    script = folder / "chapeta"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m chapeta.cli.main "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    path = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "src")}
    return {**os.environ, **path, "CHAPETA_HOME": str(home), "COLUMNS": "80", "NO_COLOR": "1"}


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def sections_of(page: Path) -> dict[str, str]:
    """The text below each heading of the second level."""
    parts = re.split(r"^## (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def table_names(section: str) -> set[str]:
    """The names in code marks in the first cell of each row of a table."""
    cells = re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([\w.]+)`", cell)}


def field_names(kind: type) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}
