"""Who is compared: each posts the same alert over the same number of connections from one core."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.sinks import LOAD_CPU, SINK_CPU
from chaos_hooks import loops
from shapes import alerts, compiled
from shapes.alerts import Naming, Planned

CONNECTIONS = 50
PINNED = ("taskset", "-c", str(LOAD_CPU))


@dataclass(frozen=True, slots=True)
class Score:
    """POSTs a second of the clock, and a second of the processor that the sender had."""

    per_s: float
    per_cpu_s: float


def body() -> bytes:
    """Return one alert, as this tool posts it."""
    return alerts.body(Naming("benchmark"), [Planned(0, 0, "", 0.0)], lambda _: "2026-01-01T00:00:00.000000Z")


def timed(command: list[str], env: dict[str, str] | None = None) -> tuple[str, float]:
    """Return what a command printed, and the processor seconds that it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [*PINNED, *command], capture_output=True, text=True, env=env, timeout=120, check=False
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.stdout + done.stderr, cpu_s


def ours(url: str, folder: Path, seconds: float) -> Score:
    """This tool: plan, ledger on disk and statistics and all."""
    return _ours(url, folder, round(50_000 * seconds), 1)


def workers(several: int) -> Callable[[str, Path, float], Score]:
    """Return so many of this tool's senders at once, each on a core of its own as far as there are any, with
    its share of the alerts, its own ledger and no master."""

    def run(url: str, folder: Path, seconds: float) -> Score:
        cores = [core for core in sorted(os.sched_getaffinity(0)) if core != SINK_CPU] + [SINK_CPU]
        count = round(50_000 * seconds)
        running = []
        for number in range(several):
            where = folder / f"worker-{number}"
            shutil.rmtree(where, ignore_errors=True)
            where.mkdir()
            pinned = ["taskset", "-c", str(cores[number % len(cores)]), sys.executable]
            arguments = [url, "0", str(count), "1", str(CONNECTIONS), str(where)]
            command = [*pinned, "-m", "benchmarks.generator", *arguments]
            running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        got = [json.loads(each.communicate(timeout=120)[0].splitlines()[-1]) for each in running]
        if any(each["outcomes"] != {"acked": count} for each in got):
            raise SystemExit(f"not all were acknowledged: {got}")
        # All begin within the time that one needs to start; the slowest counts.
        took_s = max(each["took_s"] for each in got)
        return Score(several * count / took_s, several * count / sum(each["cpu_s"] for each in got))

    return run


def ours_in_python(url: str, folder: Path, seconds: float) -> Score:
    """The same without what is compiled, as where there is no C compiler."""
    return _ours(url, folder, round(50_000 * seconds), 1, {**os.environ, compiled.SWITCH: "0"})


def _ours(url: str, folder: Path, count: int, per_post: int, env: dict[str, str] | None = None) -> Score:
    (folder / "ledger.bin").unlink(missing_ok=True)
    arguments = [url, "0", str(count), str(per_post), str(CONNECTIONS), str(folder)]
    said, _ = timed([sys.executable, "-m", "benchmarks.generator", *arguments], env)
    got = json.loads(said.splitlines()[-1])
    # The sink's one word acknowledges a POST's first alert; the others it refuses, as the ledger has it.
    if sum(got["outcomes"].get(each, 0) for each in ("acked", "rejected")) != count:
        raise SystemExit(f"not all were acknowledged: {got}")
    return Score(count / per_post / got["took_s"], count / per_post / got["cpu_s"])


def of_posts(per_post: int) -> Callable[[str, Path, float], Score]:
    """Return this tool with so many alerts in a POST."""
    return lambda url, folder, seconds: _ours(url, folder, round(40_000 * seconds), per_post)


def wrk(url: str, folder: Path, seconds: float) -> Score:
    """wrk, one thread; the same bytes each time."""
    script = folder / "post.lua"
    script.write_text(
        'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n'
        f"wrk.body = {json.dumps(body().decode())}\n"
    )
    said, cpu_s = timed(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "-s", str(script), url])
    return _scored(said, r"(\d+) requests in", seconds, cpu_s)


def hey(url: str, folder: Path, seconds: float) -> Score:
    """hey, one processor."""
    file = _file(folder)
    more = [
        "-cpus",
        "1",
        "-c",
        str(CONNECTIONS),
        "-z",
        f"{seconds:g}s",
        "-m",
        "POST",
        "-T",
        "application/json",
    ]
    said, cpu_s = timed(["hey", *more, "-D", str(file), url])
    return _scored(said, r"\[201\]\s+(\d+) responses", seconds, cpu_s)


def vegeta(url: str, folder: Path, seconds: float) -> Score:
    """vegeta, as fast as it can."""
    targets = folder / "targets"
    targets.write_text(f"POST {url}\nContent-Type: application/json\n@{_file(folder)}\n")
    more = [f"-duration={seconds:g}s", "-rate=0", f"-max-workers={CONNECTIONS}", f"-targets={targets}"]
    out = f"-output={folder / 'vegeta.bin'}"
    _, cpu_s = timed(["vegeta", "-cpus=1", "attack", *more, f"-connections={CONNECTIONS}", out])
    said, _ = timed(["vegeta", "report", "-type=json", str(folder / "vegeta.bin")])
    return _scored(said, r'"requests":(\d+)', seconds, cpu_s)


def k6(url: str, folder: Path, seconds: float) -> Score:
    """k6, one processor."""
    script = folder / "post.js"
    script.write_text(
        f'import http from "k6/http";\nconst body = {json.dumps(body().decode())};\n'
        "export default function () {\n"
        f'  http.post("{url}", body, {{headers: {{"Content-Type": "application/json"}}}});\n}}\n'
    )
    env = {**os.environ, "GOMAXPROCS": "1"}
    said, cpu_s = timed(
        ["k6", "run", "--vus", str(CONNECTIONS), "--duration", f"{seconds:g}s", str(script)], env
    )
    return _scored(said, r"http_reqs\D*(\d+)", seconds, cpu_s)


def locust(user: str) -> Callable[[str, Path, float], Score]:
    """Return one of Locust's own clients."""

    def run(url: str, folder: Path, seconds: float) -> Score:
        host = url.rpartition("/api/")[0]
        more = ["-u", str(CONNECTIONS), "-r", "1000", "-t", f"{round(seconds)}s", "--host", host, "--json"]
        program = [sys.executable, "-m", "locust", "-f", "benchmarks/locust_users.py", "--headless", user]
        env = {**os.environ, "BENCH_BODY": str(_file(folder))}
        said, cpu_s = timed([*program, *more, "--skip-log-setup"], env)
        return _scored(said, r'"num_requests": (\d+)', seconds, cpu_s)

    return run


def there() -> dict[str, Callable[[str, Path, float], Score]]:
    """Return those that can be run here; the others are named by `absent`."""
    found: dict[str, Callable[[str, Path, float], Score]] = {
        "alertstorm": ours,
        **({"in Python": ours_in_python} if loops.COMPILED else {}),
        "FastHttpUser": locust("Fast"),
        "HttpUser": locust("Plain"),
    }
    programs = {"wrk": wrk, "hey": hey, "vegeta": vegeta, "k6": k6}
    return found | {name: run for name, run in programs.items() if shutil.which(name)}


def absent() -> list[str]:
    """Return the programs that are not on PATH."""
    return [name for name in ("wrk", "hey", "vegeta", "k6") if not shutil.which(name)]


def _file(folder: Path) -> Path:
    file = folder / "body.json"
    file.write_bytes(body())
    return file


def _scored(said: str, pattern: str, seconds: float, cpu_s: float) -> Score:
    found = re.search(pattern, said)
    if found is None:
        raise SystemExit(f"it did not say how many requests it made: {said[-2000:]}")
    # Of one core, in so many seconds, no more than those were spent on sending; the rest was its start.
    return Score(int(found[1]) / seconds, int(found[1]) / min(cpu_s, seconds))
