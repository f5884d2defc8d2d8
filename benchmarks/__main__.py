"""``make bench``: this tool beside others in one run, its punctuality, and its ledger at a million alerts."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import contenders, sinks
from benchmarks.contenders import Score
from benchmarks.ledger_bench import million
from chaos_hooks import loops

ROUNDS, SECONDS = 5, 2
LATENESS = ((20 / 60, 3), (200, 1000), (2000, 8000), (5000, 20_000), (20_000, 80_000))
PARTS = ("speed", "posts", "late", "hang", "ledger", "truth", "workers")


def main() -> None:
    """Run what was asked for and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", default=PARTS, help=f"of {', '.join(PARTS)}; all")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--raw", type=Path, metavar="FILE", help="write every round's figures there, as JSON")
    asked = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    sends = "compiled" if loops.COMPILED else "in Python alone"
    print(f"{platform.machine()}, {cores} cores, Python {platform.python_version()}, this tool {sends}")
    raw: dict[str, Any] = {
        "machine": platform.machine(),
        "cores": cores,
        "python": platform.python_version(),
        "compiled": loops.COMPILED,
    }
    with sinks.scratch() as folder:
        program = sinks.compiled(folder)
        if program is None:
            sys.exit("no C compiler (cc, gcc) on PATH: the sink cannot be made, so nothing is measured")
        if "speed" in asked.parts:
            print(f"not on PATH, so not compared: {', '.join(contenders.absent()) or 'none'}")
            raw["speed"] = compare(contenders.there(), program, folder, asked.rounds, asked.seconds)
        if "posts" in asked.parts:
            sizes = {f"{n} a POST": contenders.of_posts(n) for n in (1, 10, 100)}
            raw["posts"] = compare(
                sizes, program, folder, asked.rounds, asked.seconds, {f"{n} a POST": n for n in (1, 10, 100)}
            )
        if "late" in asked.parts:
            raw["late"] = [late(program, folder, rate, count, asked.rounds) for rate, count in LATENESS]
        if "hang" in asked.parts:
            raw["hang"] = [late(program, folder, rate, 9 * rate, asked.rounds, 5.0) for rate in (200, 2000)]
        if "workers" in asked.parts:
            several = {f"{n} sender{'s' * (n > 1)}": contenders.workers(n) for n in (1, 2)}
            raw["workers"] = compare(several, program, folder, asked.rounds, asked.seconds)
        if "ledger" in asked.parts:
            raw["ledger"] = million(folder)
            raw["judged"] = judged(folder)
        if "truth" in asked.parts:
            # In a process of its own, with greenlets' patches, as a run has them.
            command = [
                sys.executable,
                "-m",
                "gevent.monkey",
                "--module",
                "benchmarks.truth_bench",
                str(folder),
            ]
            subprocess.run(command, check=True)
    if asked.raw:
        asked.raw.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")


def judged(folder: Path) -> dict[str, float]:
    """Print what the judgement of a million alerts takes, in a process of its own; return the figures."""
    command = [sys.executable, "-m", "benchmarks.judge_bench", str(folder / "judged")]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    took: dict[str, float] = json.loads(said)
    print("judged, seconds of the processor: " + ", ".join(f"{name} {each:g}" for name, each in took.items()))
    return took


def compare(
    who: dict[str, Callable[[str, Path, float], Score]],
    program: Path,
    folder: Path,
    rounds: int,
    seconds: float,
    weights: dict[str, int] | None = None,
) -> dict[str, list[dict[str, float]]]:
    """Print medians of interleaved rounds, and ratios to the first; return all rounds."""
    scores: dict[str, list[Score]] = {name: [] for name in who}
    for _ in range(rounds):
        for name, run in who.items():
            with sinks.running(program) as url:
                scores[name].append(run(url, folder, seconds))
    first = next(iter(who))
    middle = {name: statistics.median(s.per_cpu_s for s in each) for name, each in scores.items()}
    print(f"\n{'':14} {'POST/s':>9} {'POST/cpu s':>11} {'spread':>15} {'alerts/cpu s':>13} {'ours/it':>8}")
    for name, each in scores.items():
        clock = statistics.median(s.per_s for s in each)
        low, high = min(s.per_cpu_s for s in each), max(s.per_cpu_s for s in each)
        alerts = middle[name] * (weights or {}).get(name, 1)
        spread = f"{low:,.0f}-{high:,.0f}"
        ratio = middle[first] / middle[name]
        print(f"{name:14} {clock:9,.0f} {middle[name]:11,.0f} {spread:>15} {alerts:13,.0f} {ratio:8.2f}")
    return {name: [asdict(score) for score in each] for name, each in scores.items()}


def late(
    program: Path, folder: Path, rate: float, count: int, rounds: int, hang_s: float = 0.0
) -> list[dict[str, Any]]:
    """Print how late alerts were begun at a rate, medians of the rounds, with a target that hangs for a while
    if asked for; return all figures."""
    every = []
    for _ in range(rounds):
        (folder / "ledger.bin").unlink(missing_ok=True)
        with sinks.running(program, 2.0, hang_s) as url:
            arguments = [url, str(rate), str(count), "1", "10000", str(folder)]
            said, _ = contenders.timed([sys.executable, "-m", "benchmarks.generator", *arguments])
        every.append({"rate_per_s": rate, "hang_s": hang_s, **json.loads(said.splitlines()[-1])})
    begun, handed = (
        " ".join(
            f"{name} {statistics.median(got[which][name] for got in every):.3f}" for name in every[0][which]
        )
        for which in ("late_ms", "handed_ms")
    )
    hangs = f", target hangs {hang_s:g} s" if hang_s else ""
    ended = [got["outcomes"] for got in every]
    same = ended[0] if all(each == ended[0] for each in ended) else ended
    cpu_s = statistics.median(got["cpu_s"] for got in every)
    print(
        f"{rate:9.1f}/s{hangs}: {same} of {count}, begun late, ms: {begun}; handed over late: {handed}; ",
        end="",
    )
    print(f"CPU {cpu_s:.2f} s", flush=True)
    return every


if __name__ == "__main__":
    main()
