"""How long `chapeta check` takes on many rows, and in how much memory. Prints one JSON object.

    python benchmarks/check_million.py [ROWS]        (1,000,000 by default; PYTHONPATH=src from a checkout)

Rows are distinct customer messages with a label, put together from a seed: two or three sentences, each of slots with
many fillers, a tenth with a typing error, one in a hundred a near duplicate of the row before. The file is made in a
temporary folder by a child process, so that peak memory is the check's alone.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from chapeta.examples.check import check

LABELS = ("delivery", "billing", "refund", "account", "technical", "cancel", "praise", "other")
SLOTS = """
I, we, my wife, my son, our office, a colleague, my neighbour, the caretaker, someone here, my
mother

ordered, returned, paid for, cancelled, received, opened, unpacked, sent back, asked about,
reserved, exchanged, compared, installed, registered, forgot to mention, picked up, gave away,
complained about, looked at, tried to repair

the blue kettle, a winter coat, two garden chairs, the annual plan, a phone case, the espresso
machine, three candles, a child seat, the reading lamp, an office desk, the running shoes, a rain
jacket, the tent, a mirror, the router, a set of knives, the headphones, a birthday card, the coffee
beans, a wool blanket, the printer, a water filter

yesterday, on Monday, last week, in March, this morning, twice, before the holidays, at your shop in
Leeds, online, by phone, a month ago, over the weekend, around noon, after your letter, in a hurry,
during the sale, by mistake

and nothing happened, but the colour is wrong, and the invoice shows another amount, yet nobody
answers, and it works very well, but a screw is missing, and the parcel never came, but my password
is refused, so please call me back, and I want my money back, but it stopped working, and I would
like to thank you, though the size does not fit, and the driver left it in the rain, but the app
shows an error, so end the contract

Can you help, What should I do, Please look into it, How long will it take, Who is responsible, Is
that normal, Where do I send it, Could you check, Do I have to pay, Will you replace it
"""
WHO, DID, WHAT, WHEN, THEN, ASK = (
    [filler.strip() for filler in slot.replace("\n", " ").split(",")] for slot in SLOTS.strip().split("\n\n")
)


def main(rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        subprocess.run([sys.executable, __file__, "--make", str(rows), str(path)], check=True)
        started, cpu_started = time.perf_counter(), time.process_time()
        report = check(path)
        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    figures = {
        "rows": report.rows,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu_seconds, 1),
        "rows_per_s": round(report.rows / seconds),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "good": report.good,
        "exact_duplicates": report.exact_duplicates,
        "near_duplicates": report.near_duplicates,
        "conflicts": report.conflicts,
        "labels": len(report.labels or {}),
    }
    print(json.dumps(figures))


def make(rows: int, path: Path) -> None:
    """Write the file row by row. An order number in words keeps the rows distinct."""
    draw = random.Random(1)
    text = ""
    with path.open("w", encoding="utf-8") as file:
        for number in range(rows):
            text = f"{text} Thanks!" if number % 100 == 99 else message(draw, number)
            file.write(json.dumps({"input": text, "output": draw.choice(LABELS)}) + "\n")


def message(draw: random.Random, number: int) -> str:
    parts = [sentence(draw) for _ in range(draw.choice((1, 2, 2, 3)))]
    parts.insert(draw.randrange(len(parts) + 1), f"{draw.choice(ASK)}, reference {number % 997} {code(number)}?")
    text = " ".join(parts)
    if draw.random() < 0.1:
        place = draw.randrange(1, len(text) - 1)
        text = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    return text


def sentence(draw: random.Random) -> str:
    return " ".join(draw.choice(fillers) for fillers in (WHO, DID, WHAT, WHEN, THEN)).capitalize() + "."


def code(number: int) -> str:
    """The number with letters for digits, in base 26."""
    letters = ""
    while number:
        number, digit = divmod(number, 26)
        letters += chr(97 + digit)
    return letters or "a"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--make"]:
        make(int(sys.argv[2]), Path(sys.argv[3]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
