"""The last stages: the verdict, the report that people look at, and the receipt that lets anyone check both."""

from __future__ import annotations

import dataclasses
import json
import platform
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from chapeta import __version__
from chapeta.bench.disagreements import instructive_disagreements
from chapeta.bench.report import (
    Confusion,
    CurvePoint,
    FieldAccuracy,
    GeneralSuite,
    LearningCurve,
    ReportData,
    render,
)
from chapeta.bench.results import BenchResult, Verdict
from chapeta.bench.verdict import decide
from chapeta.deployments import candidate_to_json, constraint_to_json
from chapeta.engine import weights
from chapeta.examples.folder import write_examples
from chapeta.examples.split import Splits
from chapeta.files import disk_errors, read_json, sha256, write_atomic, write_json
from chapeta.stages.bench import Benched
from chapeta.stages.run import Run
from chapeta.stages.tune import Tuned, folder_of
from chapeta.types import Candidate, Labels, Message

PACKAGES = ("xllamacpp", "gguf", "numpy", "scipy", "bm25s", "torch", "transformers")
COPIED = ("bench.json", "verdict.json", "answers.jsonl", "general.jsonl", "candidates.json", "check.json")


def conclude(run: Run, benched: Benched, splits: Splits, tuned: Sequence[Tuned]) -> Verdict:
    """Decides, draws the report and packs the receipt."""
    verdict = decide(benched.result, run.settings.margin)
    write_json(run.folder / "verdict.json", verdict.to_json())
    write_receipt(run, benched, splits, tuned)
    data = report_data(run, benched, splits, tuned, verdict)
    write_json(run.folder / "report.json", data.to_json())
    write_atomic(run.folder / "report.html", render(data))
    return verdict


def decide_again(run: Run, margin: float | None = None) -> tuple[BenchResult, Verdict]:
    """The verdict from the bench's figures, by another margin if one is given; report and receipt follow."""
    bench = BenchResult.from_json(run.read("bench.json", f"bench {run.label}"))
    margin = run.settings.margin if margin is None else margin
    verdict = decide(bench, margin)
    write_json(run.folder / "verdict.json", verdict.to_json())
    data = ReportData.from_json(run.read("report.json", f"bench {run.label}"))
    data = dataclasses.replace(data, verdict=verdict, settings={**data.settings, "margin": margin})
    write_json(run.folder / "report.json", data.to_json())
    write_atomic(run.folder / "report.html", render(data))
    receipt = run.folder / "receipt"
    facts = read_json(receipt / "receipt.json", f"chapeta bench {run.label}")
    write_json(receipt / "verdict.json", verdict.to_json())
    files = {**facts["files"], "verdict.json": sha256(receipt / "verdict.json")}
    write_json(receipt / "receipt.json", {**facts, "settings": {**facts["settings"], "margin": margin}, "files": files})
    return bench, verdict


def report_data(run: Run, benched: Benched, splits: Splits, tuned: Sequence[Tuned], verdict: Verdict) -> ReportData:
    """Everything that the report shows."""
    expected = [example.answer for example in benched.rows]
    said = {a.name: [answer.text for answer in a.answers] for a in benched.answered}
    scores = {c.name: c.row_scores for c in benched.result.candidates}
    labels = isinstance(benched.task.constraint, Labels)
    return ReportData(
        name=run.settings.name,
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        task=task_in_words(benched),
        bench=benched.result,
        verdict=verdict,
        check=run.read("check.json", "split FILE"),
        splits={"train": len(splits.train), "validation": len(splits.validation), "test": len(splits.test)},
        leakage_removed=splits.report.leakage_removed,
        recipe=_recipe(tuned),
        curves=tuple(_curve(t) for t in tuned),
        confusions=tuple(Confusion.count(name, expected, answers) for name, answers in said.items()) if labels else (),
        fields=tuple(_fields(c.name, c.scores) for c in benched.result.candidates)
        if benched.task.kind == "extract"
        else (),
        disagreements=tuple(instructive_disagreements(benched.rows, said, scores, verdict.use)),
        general=tuple(GeneralSuite.of("tuned", g.flexibility) for g in benched.general),
        constraint="" if benched.task.constraint is None else "labels" if labels else "json",
        prompts={candidate.name: prompt_text(candidate) for candidate in benched.candidates},
        settings=run.settings.to_json(),
        versions=versions(),
        receipt={"folder": str(run.folder / "receipt"), "check it with": f"chapeta verify {run.folder / 'receipt'}"},
    )


def write_receipt(run: Run, benched: Benched, splits: Splits, tuned: Sequence[Tuned]) -> Path:
    """Packs hashes, versions, settings, examples, every prompt and answer, and the figures into `receipt/`.

    The folder is built beside the old one and swapped in, so that a receipt is never half new.
    """
    folder, building = run.folder / "receipt", run.folder / ".receipt-new"
    with disk_errors(folder):
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(parents=True)
        for name in COPIED:
            if (run.folder / name).exists():
                shutil.copyfile(run.folder / name, building / name)
        for part, rows in (("train", splits.train), ("validation", splits.validation), ("test", benched.rows)):
            write_atomic(building / f"{part}.jsonl", write_examples(rows))
        for made in tuned:
            place = building / "tuned" / folder_of(run, made.model).name
            place.mkdir(parents=True, exist_ok=True)
            write_json(place / "recipe.json", _recipe([made]))
            write_json(place / "result.json", _plain(made.result))
        general = [
            {"model": g.model, "kl_nats": g.kl_nats, "change": dataclasses.asdict(g.flexibility.change)}
            for g in benched.general
        ]
        facts = {
            "settings": run.settings.to_json(),
            "task": {"kind": benched.task.kind, "max_answer_tokens": benched.task.max_answer_tokens,
                     "constraint": constraint_to_json(benched.task.constraint)},
            "versions": versions(),
            "machine": {"processor": platform.machine(), "system": platform.system()},
            "weights": {c.model: _weights_of(c.model) for c in benched.candidates},
            "adapters": {c.name: sha256(Path(c.adapter)) for c in benched.candidates if c.adapter},
            "candidates": [candidate_to_json(c)["name"] for c in benched.candidates],
            "training": {t.model: {"seconds": t.result.seconds, "rows": len(splits.train)} for t in tuned},
            "general": general,
            "notes": list(benched.result.notes),
            "spend_usd": sum(a.usd or 0.0 for one in benched.answered for a in one.answers),
            "calls_of_unknown_cost": sum(a.usd is None for one in benched.answered for a in one.answers),
        }  # fmt: skip
        files = {str(f.relative_to(building)): sha256(f) for f in sorted(building.rglob("*")) if f.is_file()}
        write_json(building / "receipt.json", {**facts, "files": files})
        shutil.rmtree(folder, ignore_errors=True)
        building.replace(folder)
    return folder


def _weights_of(model: str) -> str | None:
    """The hash of a local model's weights; a provider shows nobody its own."""
    return weights.weights_sha256(weights.ensure(model)) if weights.is_local(model) else None


def versions() -> dict[str, str]:
    """Versions of what decides the figures; packages that are not installed are left out."""
    found = {"chapeta": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def prompt_text(candidate: Candidate) -> str:
    """What a candidate sees before the question, in words."""
    if candidate.retriever is not None:
        return f"{candidate.system}\n\n[then the training examples that are most similar to the question]"
    shown = candidate.render((Message("user", "…"),)).messages
    return "\n\n".join(f"[{m.role}]\n{m.content}" for m in shown)


def task_in_words(benched: Benched) -> str:
    """The task in one sentence."""
    constraint = benched.task.constraint
    if isinstance(constraint, Labels):
        return f"Answer with one of {len(constraint.values)} labels."
    if constraint is not None:
        return f"Answer with a JSON object: {', '.join(constraint.schema.get('properties', {}))}."
    return "Answer in free text."


def _recipe(tuned: Sequence[Tuned]) -> dict[str, Any]:
    if not tuned:
        return {}
    chosen = tuned[0].recipe
    return {"recipe": dataclasses.asdict(chosen.recipe), "reasons": dict(chosen.reasons)}


def _curve(tuned: Tuned) -> LearningCurve:
    points = tuple(CurvePoint(p.step, p.loss, p.validation_score, p.tokens_per_s) for p in tuned.result.history)
    return LearningCurve("tuned", points, tuned.result.chosen_step)


def _fields(name: str, scores: dict[str, Any]) -> FieldAccuracy:
    prefix = "accuracy["
    return FieldAccuracy(name, {k[len(prefix) : -1]: e for k, e in scores.items() if k.startswith(prefix)})


def _plain(result: Any) -> Any:
    """A result as JSON, its paths without the machine's folders."""
    return json.loads(json.dumps(dataclasses.asdict(result), default=lambda value: Path(value).name))
