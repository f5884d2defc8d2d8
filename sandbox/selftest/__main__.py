"""python -m sandbox.selftest: run the rows, print the matrix; exit code 0 if every row is sound, else 1."""

import argparse
import json
import shutil
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sandbox.selftest import matrix, publish, rows, trial
from sandbox.selftest.row import Row
from sandbox.selftest.score import HIT, INVALID, Score

# A run whose assumptions did not hold, as on a machine that is too busy, is run again so often.
_TRIES = 3


class Selftest:
    """Runs rows, several at a time, each in a sandbox of its own."""

    def __init__(self, chosen: list[Row], folder: Path) -> None:
        self.scores = [Score(row) for row in chosen]
        self._folder = folder
        self._lock = threading.Lock()

    def run(self, seeds: range, few: range, jobs: int) -> None:
        """Run each row with each seed, slow ones and controls with a few; all rows once before any twice."""
        with ThreadPoolExecutor(jobs) as pool:
            try:
                rows_of = {seed: [s for s in self.scores if seed in (few if s.row.few else seeds)]
                           for seed in sorted({*seeds, *few})}  # fmt: skip
                work = [(score, seed) for seed, scores in rows_of.items() for score in scores]
                for done in [pool.submit(self._one, score, seed) for score, seed in work]:
                    done.result()
            except KeyboardInterrupt:
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def _one(self, score: Score, seed: int) -> None:
        for number in range(1, _TRIES + 1):
            folder = self._folder / f"{score.row.name.replace(': ', '-')}-{seed}-{number}"
            got = trial.run(score.row, seed, folder)
            with self._lock:
                graded = score.add(seed, got)
                last = score.trials[-1][3]
                told = f"{score.row.name}, seed {seed}: {graded} ({got.state}, {got.took_s:g} s)"
                print(told + (f" {' '.join(last.split())}; see {folder}" if last else ""), file=sys.stderr)
            if graded == HIT:
                shutil.rmtree(folder)
            if graded != INVALID:
                return


def main(arguments: list[str] | None = None) -> int:
    """Choose, run, print."""
    asked = _parser().parse_args(arguments)
    chosen = _chosen(asked.rows, slow=not asked.quick)
    if isinstance(chosen, str):
        print(f"selftest: {chosen}", file=sys.stderr)
        return 2
    if asked.list:
        for row in chosen:
            print(f"{row.name:28} {row.scenario:16} {row.wants or ' or '.join(row.states)}")
        return 0
    if asked.recorded:
        documents = [json.loads(path.read_text(encoding="utf-8")) for path in asked.recorded]
        scores = matrix.recorded(documents, tuple(chosen))
        if asked.publish:
            publish.write(scores)
        return _told(scores, asked.json)
    folder = Path(tempfile.mkdtemp(prefix="alertstorm-selftest-"))
    selftest = Selftest(chosen, folder)
    try:
        first, few = asked.first_seed, asked.seeds if asked.few_seeds is None else asked.few_seeds
        selftest.run(range(first, first + asked.seeds), range(first, first + few), asked.jobs)
    except KeyboardInterrupt:
        _told(selftest.scores, asked.json)
        return 130
    if not any(folder.iterdir()):
        folder.rmdir()
    return _told([score for score in selftest.scores if score.trials], asked.json)


def _told(scores: list[Score], path: Path | None) -> int:
    """Print the matrix, write it into a file if there is one; the exit code."""
    print(matrix.text(scores), end="")
    if path:
        path.write_text(json.dumps(matrix.document(scores), indent=1) + "\n", encoding="utf-8")
    sound = sum(score.sound for score in scores)
    print(f"\n{sound} of {len(scores)} rows are sound.")
    return 0 if scores and sound == len(scores) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.selftest",
        description="Run the harness against Gateways that are wrong in one known way, and against noisy "
        "ones that are right. Exit code: 0 if every row is sound, 1 if not, 2 for an unknown row.",
    )
    parser.add_argument("--rows", default="all", help="names with commas, all, defects, innocents or reduced")
    parser.add_argument("--quick", action="store_true", help="leave out the slow rows")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="runs of each row (1)")
    few = "runs of each slow row and of each control (as --seeds)"
    parser.add_argument("--few-seeds", type=int, metavar="N", help=few)
    parser.add_argument("--first-seed", type=int, default=1, metavar="N", help="the first of the seeds (1)")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="rows at a time (2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the matrix for programs, too")
    told = "run nothing: put together what earlier runs wrote with --json"
    parser.add_argument("--recorded", type=Path, nargs="+", metavar="FILE", help=told)
    told = "with --recorded: keep the record in docs/, and write the tables there and in README.md anew"
    parser.add_argument("--publish", action="store_true", help=told)
    parser.add_argument("--list", action="store_true", help="print the rows, run nothing")
    return parser


def _chosen(text: str, *, slow: bool) -> list[Row] | str:
    groups = {"all": rows.ALL, "defects": rows.DEFECTS, "innocents": rows.INNOCENTS}
    groups["reduced"] = tuple(row for row in rows.ALL if row.name in rows.REDUCED)
    known = {row.name: row for row in rows.ALL}
    found: list[Row] = []
    for name in filter(None, (part.strip() for part in text.split(","))):
        if name not in groups and name not in known:
            return f"--rows: no row {name!r}; there are: {', '.join([*groups, *known])}"
        found += [row for row in groups.get(name, ()) or (known[name],) if row not in found]
    return [row for row in found if slow or not row.slow] or "--rows: none is left; name one that is not slow"


if __name__ == "__main__":
    sys.exit(main())
