"""A report's data with plausible figures, for tests and for looking at: `python report_sample.py FOLDER` draws it."""

from __future__ import annotations

import dataclasses
import math
import random
import sys
from pathlib import Path

from chapeta.bench.disagreements import instructive_disagreements
from chapeta.bench.report import (
    Confusion,
    CurvePoint,
    FieldAccuracy,
    FlippedItem,
    GeneralGroup,
    GeneralSuite,
    LearningCurve,
    ReportData,
    render,
)
from chapeta.bench.results import BenchResult, CandidateResult, Comparison, Estimate, Verdict
from chapeta.types import Example, Message

N_TEST = 320
LABELS = ("billing", "account access", "delivery", "returns", "damaged item", "product question", "complaint", "other")
# name: right answers in 1000, tokens in, tokens out, p50 ms, p95 ms
SHAPES = {
    "base": (612, 118.0, 2.4, 96.0, 171.0),
    "few-shot": (731, 655.3, 2.3, 388.0, 642.0),
    "nearest": (862, 481.6, 2.3, 301.0, 611.0),
    "skill": (778, 934.0, 2.4, 142.0, 305.0),
    "tuned": (931, 118.0, 2.3, 101.0, 166.0),
    "tuned+skill": (937, 934.0, 2.3, 148.0, 322.0),
}
QUESTIONS = (
    "hi, wheres my parcel?? tracking says delivered since tuesday but nothing here",
    "I was charged twice for order 88121, please refund one of them.",
    "Die Tasse kam zerbrochen an. Zum zweiten Mal! Ich will mein Geld zurück oder eine neue, und zwar bald.",
    "can't log in since the update, the reset mail never arrives",
    "Does the 40 L backpack fit under an airplane seat?",
    "I sent the shoes back 3 weeks ago and your colleague told me the refund was on its way. It is not. What now?",
    "honestly the worst service i have ever had, four agents and no answer",
    "Bonjour, je voudrais changer l’adresse de livraison de ma commande, est-ce encore possible ?",
)


def sample() -> ReportData:
    """Six candidates on a closed-label task, everything measured."""
    draw = random.Random(7)
    examples = [_example(draw, i) for i in range(N_TEST)]
    answers = _answers(draw, examples)
    scores = {
        name: tuple(float(a == e.answer) for a, e in zip(said, examples, strict=True)) for name, said in answers.items()
    }
    expected = [example.answer for example in examples]
    return ReportData(
        name="support-triage",
        date="2026-11-22 15:04 UTC",
        task="Classify a customer's message: one of 8 teams.",
        bench=_bench(scores, tuple(e.id for e in examples)),
        verdict=Verdict(
            use="tuned",
            advice="use",
            reasons=(
                "tuned is the cheapest candidate that is not inferior to tuned+skill, the best, within 2 points.",
                "Against tuned+skill it scores −0.3 points (95 % interval −1.7 to +1.1), with an eighth of its tokens.",
                "No loss of general ability is shown for tuned: −3.1 points (95 % interval −6.6 to +0.4).",
            ),
            indicative=False,
            margin=0.02,
            break_even_calls=1840.0,
        ),
        check={
            "file": "examples/support-triage.jsonl",
            "format": "OpenAI chat JSONL",
            "rows": 1611,
            "bad_rows": [{"line": 312, "reason": "The answer is empty.", "remedy": "Write one, or delete the row."}],
            "exact_duplicates": 6,
            "near_duplicates": 14,
            "conflicts": 3,
            "secrets": [{"line": 40, "what": "e-mail address"}, {"line": 1207, "what": "card number"}],
            "lengths": {"median_tokens": 31, "p95_tokens": 112, "longest_tokens": 418, "context_window_tokens": 8192},
            "labels": {label: 260 - 27 * i for i, label in enumerate(LABELS)},
        },
        splits={"train": 1020, "validation": 255, "test": N_TEST},
        leakage_removed=4,
        recipe={
            "recipe": {"rank": 16, "alpha": 32, "epochs": 3, "learning_rate": 0.001, "schedule": "linear"},
            "reasons": {
                "rank": "1,020 rows; its 4,880,000 parameters are room enough for 4,100 answer tokens.",
                "epochs": "1,020 rows: fewer rows are read more often; the best checkpoint on validation is kept.",
                "learning_rate": "5e-4 × (2000 / 576)^0.781 gives 1.3e-03; capped, because the model is small.",
            },
        },
        curves=(_curve(draw),),
        confusions=tuple(Confusion.count(name, expected, answers[name]) for name in ("tuned", "nearest")),
        disagreements=tuple(instructive_disagreements(examples, answers, scores, chosen="tuned")),
        general=(_general(),),
        constraint="labels",
        prompts={
            "base": "Classify the message. Answer with one of: " + ", ".join(LABELS) + ".",
            "skill": "# Support triage\n\nYou sort messages of customers by the team that answers them.\n" * 12,
        },
        settings={"seed": 0, "margin": 0.02, "decoding": {"temperature": 0, "max_tokens": 8}, "model": "smollm2-135m"},
        versions={"chapeta": "0.1.0", "python": "3.11.9", "xllamacpp": "2026.10.1"},
        receipt={"folder": "runs/support-triage/receipt", "manifest": "runs/support-triage/receipt/manifest.json"},
    )


def extract_sample() -> ReportData:
    """Three billed candidates on a JSON task with few test rows; none is tuned: no curve, no general suite."""
    full = sample()
    names = ("base", "few-shot", "skill")
    usd = {"base": 0.0713, "few-shot": 0.412, "skill": 1.38}
    candidates = tuple(
        dataclasses.replace(c, usd_per_1000_calls=usd[c.name], metric="object_match")
        for c in full.bench.candidates
        if c.name in names
    )
    comparisons = tuple(c for c in full.bench.comparisons if c.first in names and c.second in names)
    fields = {"team": 0.91, "urgency": 0.84, "language": 0.99}
    bench = dataclasses.replace(
        full.bench, task="extract", metric="object_match", candidates=candidates, comparisons=comparisons, n_test=80
    )
    return dataclasses.replace(
        full,
        bench=bench,
        verdict=Verdict("skill", "don't tune", ("skill scores 4.1 points more than few-shot.",), True, 0.02),
        curves=(),
        confusions=(),
        general=(),
        disagreements=(),
        fields=(FieldAccuracy("skill", {name: wald(share, 80) for name, share in fields.items()}),),
        constraint="json",
        recipe={},
    )


def wald(share: float, n: int) -> Estimate:
    half = 1.96 * math.sqrt(share * (1 - share) / n)
    return Estimate(share, max(0.0, share - half), min(1.0, share + half), n)


def candidate(name: str, share: float, **more: object) -> CandidateResult:
    """A candidate with this score on 320 rows; anything else as given or plausible."""
    score = wald(share, N_TEST)
    plain: dict[str, object] = {
        "metric": "accuracy",
        "scores": {"accuracy": score, "macro_f1": wald(max(0.0, share - 0.012), N_TEST)},
        "tokens_in": 100.0,
        "tokens_out": 2.0,
        "usd_per_1000_calls": 0.0,
        "latency_p50_ms": 90.0,
        "latency_p95_ms": 160.0,
        "trains": False,
    }
    return CandidateResult(name=name, score=score, **{**plain, **more})  # type: ignore[arg-type]


def _example(draw: random.Random, index: int) -> Example:
    question = f"{QUESTIONS[index % len(QUESTIONS)]} (#{index})"
    return Example((Message("user", question),), draw.choices(LABELS, [26, 23, 21, 18, 15, 12, 10, 7])[0])


def _answers(draw: random.Random, examples: list[Example]) -> dict[str, list[str]]:
    """Errors prefer the next label in the list, so that confusions have a shape; hard rows are hard for all."""
    hardness = [draw.random() for _ in examples]
    said: dict[str, list[str]] = {}
    for name, (right, *_) in SHAPES.items():
        said[name] = []
        for example, hard in zip(examples, hardness, strict=True):
            wrong = 0.6 * hard + 0.4 * draw.random() > 0.1 + 0.8 * right / 1000
            near = LABELS[(LABELS.index(example.answer) + draw.choice((1, 1, 1, 2, 5))) % len(LABELS)]
            said[name].append(near if wrong else example.answer)
    said["tuned+skill"] = _nearly(said["tuned"], examples)
    return said


def _nearly(answers: list[str], examples: list[Example]) -> list[str]:
    """The same answers but for five rows: three errors mended, two made."""
    wrong = [i for i, (said, e) in enumerate(zip(answers, examples, strict=True)) if said != e.answer][:3]
    right = [i for i, (said, e) in enumerate(zip(answers, examples, strict=True)) if said == e.answer][40:42]
    changed = {i: examples[i].answer for i in wrong} | dict.fromkeys(right, "other")
    return [changed.get(i, said) for i, said in enumerate(answers)]


def _bench(scores: dict[str, tuple[float, ...]], ids: tuple[str, ...]) -> BenchResult:
    candidates = []
    for name, (_, tokens_in, tokens_out, p50, p95) in SHAPES.items():
        trains = name.startswith("tuned")
        share = sum(scores[name]) / N_TEST
        candidates.append(
            candidate(
                name,
                share,
                tokens_in=tokens_in,
                tokens_out=tokens_out,
                latency_p50_ms=p50,
                latency_p95_ms=p95,
                trains=trains,
                flexibility=Estimate(-0.031, -0.066, 0.004, 128) if trains else None,
                kl_nats=0.214 if trains else None,
                row_scores=scores[name],
            )
        )
    names = list(scores)
    comparisons = [_comparison(a, b, scores) for i, a in enumerate(names) for b in names[i + 1 :]]
    return BenchResult(
        "classify",
        "accuracy",
        N_TEST,
        ids,
        tuple(candidates),
        tuple(comparisons),
        training_s=171.0,
        training_usd=0.0,
        n_train=1020,
        general_base=wald(0.508, 128),
        trivial_score=0.222,
    )


def _comparison(first: str, second: str, scores: dict[str, tuple[float, ...]]) -> Comparison:
    differences = [a - b for a, b in zip(scores[first], scores[second], strict=True)]
    mean = sum(differences) / N_TEST
    error = math.sqrt(sum((d - mean) ** 2 for d in differences) / (N_TEST - 1) / N_TEST)
    p = math.erfc(abs(mean) / max(error, 1e-9) / math.sqrt(2))
    estimate = Estimate(mean, mean - 1.96 * error, mean + 1.96 * error, N_TEST)
    return Comparison(first, second, estimate, p, min(1.0, 5 * p), "exact McNemar")


def _curve(draw: random.Random) -> LearningCurve:
    points = []
    for step in range(1, 193):
        loss = 0.12 + 2.1 * math.exp(-step / 28) + abs(draw.gauss(0, 0.09))
        score = 0.93 - 0.5 * math.exp(-step / 34) if step % 24 == 0 else None
        points.append(CurvePoint(step, loss, score, 1180 + draw.gauss(0, 40)))
    points[191] = CurvePoint(192, points[191].loss, 0.922, 1175.0)
    return LearningCurve("tuned", tuple(points), chosen_step=168)


def _general() -> GeneralSuite:
    groups = (
        GeneralGroup("facts", 32, 0.72, 0.72),
        GeneralGroup("arithmetic", 24, 0.33, 0.29),
        GeneralGroup("instruction following", 40, 0.55, 0.45),
        GeneralGroup("format", 20, 0.40, 0.45),
        GeneralGroup("refuses the trained format", 12, 0.42, 0.42),
    )
    flipped = (
        FlippedItem("instruction following", "Name three fruits, one per line.", "Apple\nPear\nPlum", "other", False),
        FlippedItem("format", "Answer yes or no: is ice cold?", "Ice is a solid form of water.", "yes", True),
    )
    return GeneralSuite("tuned", groups, flipped)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for name, data in (("report", sample()), ("extract", extract_sample())):
        (folder / f"{name}.html").write_text(render(data), encoding="utf-8")
