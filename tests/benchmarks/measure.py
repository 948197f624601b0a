"""Measures workloads: who takes part, how often, in which order. Figures are plain dictionaries.

A figure is ``{"median", "low", "high", "rounds", ...}`` in seconds (low and high are quartiles), or
``{"error": why}``. Rounds go through all contenders in turn, another one first each time, so that
what the machine does meanwhile falls on all of them alike. ``calm`` is the number of rounds during
which nobody else used the machine (see `calm`); a round in which somebody did is tried again.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.benchmarks import calm
from tests.benchmarks.driver import ROOT, Failure, Stable, disagreement
from tests.benchmarks.libraries import CONTENDERS, SWITCHES
from tests.benchmarks.workloads import GROWTHS, Growth, Workload

Figure = dict[str, Any]
Say = Callable[[str], None]

JUDGE = "NumPy"
FEWEST_ROUNDS = 3
# What takes longer is not tried again because others used the machine.
QUICK_SECONDS = 5.0


@dataclass(frozen=True)
class Settings:
    """How long a comparison takes.

    rounds      batches of calls a contender and workload
    batch       seconds that a batch takes, at least one call
    patience    seconds after which a slow contender has had enough rounds, three at least
    processes   fresh processes where compiling is measured
    attempts    how often a round is tried, as long as others use the machine
    """

    rounds: int = 15
    batch: float = 0.1
    patience: float = 20.0
    processes: int = 5
    attempts: int = 4

    def allowed(self, seconds: float, rounds: int) -> int:
        """The rounds of a contender that takes `seconds` for one."""
        return min(rounds, max(FEWEST_ROUNDS, int(self.patience / max(seconds, 1e-9))))


def rotated(names: Sequence[str], turn: int) -> list[str]:
    """The names, another one first each turn."""
    start = turn % len(names) if names else 0
    return [*names[start:], *names[:start]]


def summary(samples: Sequence[float], **more: Any) -> Figure:
    """The figure of some samples."""
    low, high = samples[0], samples[0]
    if len(samples) > 1:
        low, _, high = statistics.quantiles(samples, n=4, method="inclusive")
    middle = statistics.median(samples)
    return {"median": middle, "low": low, "high": high, "rounds": len(samples), **more}


def _judged(stable: Stable, method: str, size: Any) -> Path:
    """NumPy's results, in a file."""
    path = stable.new_folder() / "wanted.npz"
    judge = stable.kept(JUDGE)
    judge.ask("prepare", method=method, size=size)
    judge.ask("results", path=str(path))
    judge.ask("release")
    return path


def _checked(process: Any, stable: Stable, wanted: Path, tolerance: float) -> None:
    path = stable.new_folder() / "got.npz"
    process.ask("results", path=str(path))
    difference = disagreement(path, wanted, tolerance)
    if difference is not None:
        raise Failure(difference)


def compare_calls(stable: Stable, workload: Workload | Growth, settings: Settings) -> Figure:
    """The time of one call, for each contender, by name."""
    assert isinstance(workload, Workload)
    wanted = _judged(stable, workload.method, workload.size)
    figures: dict[str, Figure] = {}
    plans: dict[str, dict[str, Any]] = {}
    for name in workload.contenders:
        try:
            process = stable.kept(name)
            process.ask("prepare", method=workload.method, size=workload.size)
            _checked(process, stable, wanted, workload.tolerance)
            plan = process.ask("calibrate", batch=settings.batch)
            once = plan["calls"] * plan["each"]
            plan["rounds"] = settings.allowed(once, settings.rounds)
            # A call or two wake threads and caches; of what takes long, one is no longer noise.
            plan["warm"] = 0 if plan["each"] > 0.5 else max(1, plan["calls"] // 5)
            plans[name] = plan
        except Failure as failure:
            figures[name] = {"error": str(failure)}
            stable.drop(name)
    samples: dict[str, list[float]] = {name: [] for name in plans}
    calms = dict.fromkeys(plans, 0)
    for turn in range(settings.rounds):
        for name in rotated(list(plans), turn):
            plan = plans[name]
            if turn >= plan["rounds"] or name in figures:
                continue
            try:
                taken, watched = _batch(stable.kept(name), plan, settings)
                samples[name].append(taken)
                calms[name] += watched.calm
            except Failure as failure:
                figures[name] = {"error": str(failure)}
                stable.drop(name)
    for name, taken_here in samples.items():
        if name not in figures:
            figures[name] = summary(taken_here, calls=plans[name]["calls"], calm=calms[name])
            stable.kept(name).ask("release")
    return {name: figures[name] for name in workload.contenders}


def _batch(process: Any, plan: dict[str, Any], settings: Settings) -> tuple[float, calm.Watched]:
    """Seconds a call, measured in as calm a moment as there is."""
    # What takes long is not tried again and again.
    attempts = settings.attempts if plan["calls"] * plan["each"] < 1.0 else 1

    def work() -> float:
        seconds: float = process.ask("measure", calls=plan["calls"], warm=plan["warm"])["seconds"]
        return seconds

    return calm.calmest(process.number, work, attempts)


def compare_first(stable: Stable, workload: Workload, settings: Settings) -> Figure:
    """From building to the first result, in new processes; parts of it by name."""
    wanted = _judged(stable, workload.method, workload.size)
    figures: dict[str, Figure] = {}
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in workload.contenders}
    filled: dict[str, Path] = {}
    for turn in range(settings.processes):
        for name in rotated(workload.contenders, turn):
            done = taken[name]
            if name in figures or (
                done and turn >= settings.allowed(done[0]["whole"], settings.processes)
            ):
                continue
            try:
                if workload.kind == "second" and name not in filled:
                    filled[name] = stable.new_folder()
                    _first(stable, workload, name, filled[name], wanted)
                done.append(_first_calmly(stable, workload, name, filled.get(name), wanted))
            except Failure as failure:
                figures[name] = {"error": str(failure)}
    for name, parts in taken.items():
        if name not in figures:
            rest = {
                key: statistics.median(part[key] for part in parts)
                for key in ("load", "start", "whole")
            }
            rest["calm"] = sum(part["others"] <= calm.TOLERATED for part in parts)
            figures[name] = summary([part["seconds"] for part in parts], **rest)
    return {name: figures[name] for name in workload.contenders}


def _first_calmly(
    stable: Stable, workload: Workload, name: str, filled: Path | None, wanted: Path
) -> dict[str, float]:
    """One new process, or the calmest of a few quick ones; caches are empty if not `filled`."""
    best: dict[str, float] | None = None
    for _ in range(FEWEST_ROUNDS):
        part = _first(stable, workload, name, filled or stable.new_folder(), wanted)
        if best is None or part["others"] < best["others"]:
            best = part
        if best["others"] <= calm.TOLERATED or part["whole"] > QUICK_SECONDS:
            break
    assert best is not None
    return best


def _first(
    stable: Stable, workload: Workload, name: str, caches: Path, wanted: Path
) -> dict[str, float]:
    process, loaded = stable.fresh(name, caches)
    try:
        answer, watched = calm.watch(
            process.number,
            lambda: process.ask("prepare", method=workload.method, size=workload.size),
        )
        whole = time.perf_counter() - process.started
        _checked(process, stable, wanted, workload.tolerance)
    finally:
        process.close()
    return {
        "seconds": answer["seconds"],
        "whole": whole,
        "load": loaded["load"],
        "start": loaded["start"],
        "others": watched.others or 0.0,
    }


def compare(stable: Stable, workload: Workload, settings: Settings) -> Figure:
    """One row: a figure for each contender."""
    work = compare_calls if workload.kind == "call" else compare_first
    return work(stable, workload, settings)


def peak_memory(stable: Stable, workload: Workload, calls: int = 10) -> Figure:
    """Bytes above what was resident with library and inputs in place, in a process of its own.

    ``compile`` is the peak up to the first result, ``run`` the peak of the calls after it.
    """
    figures: Figure = {}
    for name in workload.contenders:
        try:
            process, _ = stable.fresh(name, stable.new_folder())
        except Failure as failure:
            figures[name] = {"error": str(failure)}
            continue
        try:
            first = process.ask("prepare", method=workload.method, size=workload.size)
            if first["resident"] is None:
                raise Failure("this system does not tell peaks of memory")
            # What takes a second a call need not be called ten times.
            again = process.ask("memory", calls=calls if first["seconds"] < 1.0 else 1)
            figures[name] = {
                "compile": max(0, first["peak"] - first["resident"]),
                "run": max(0, again["peak"] - first["resident"]),
            }
        except Failure as failure:
            figures[name] = {"error": str(failure)}
        finally:
            process.close()
    return figures


def _answers(python: str, arguments: Iterable[str]) -> str:
    environment = {**os.environ, **SWITCHES}
    done = subprocess.run(
        [python, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise Failure(lines[-1][:160] if lines else "failed")
    return done.stdout.strip().splitlines()[-1]


def import_times(stable: Stable, names: Sequence[str], settings: Settings) -> Figure:
    """Seconds of the import statement, in new interpreters that have run it before."""
    samples: dict[str, list[float]] = {name: [] for name in names}
    figures: Figure = {}
    for turn in range(settings.processes + 1):
        # The first round compiles bytecode and fills the system's file cache.
        attempts = settings.attempts if turn else 1
        for name in rotated(names, turn):
            if name in figures:
                continue
            contender = CONTENDERS[name]
            code = (
                "import time; started = time.perf_counter()\n"
                f"import {contender.statement}\n"
                "print(time.perf_counter() - started)"
            )
            python = stable.pythons.get(contender.family, sys.executable)
            try:
                text, _ = calm.calmest(None, partial(_answers, python, ("-c", code)), attempts)
            except Failure as failure:
                absent = "ModuleNotFoundError" in str(failure)
                figures[name] = {"error": "not installed" if absent else str(failure)}
                continue
            if turn:
                samples[name].append(float(text))
    figures |= {name: summary(taken) for name, taken in samples.items() if name not in figures}
    return {name: figures[name] for name in names}


def installed_sizes(stable: Stable, names: Sequence[str]) -> Figure:
    """Bytes of each library and of all that it needs, as its environment has them."""
    figures: Figure = {}
    for name in names:
        contender = CONTENDERS[name]
        python = stable.pythons.get(contender.family, sys.executable)
        try:
            text = _answers(python, ["-m", "tests.benchmarks.sizes", contender.distribution])
            figures[name] = json.loads(text)
        except Failure as failure:
            figures[name] = {"error": str(failure)}
    return figures


def growth(stable: Stable, which: Growth, settings: Settings, say: Say) -> Figure:
    """A row of figures for each size, by the size as text."""
    figures: Figure = {}
    for size in which.sizes:
        point = Workload(
            f"{which.key} {size}",
            which.title,
            which.method,
            size,
            "us",
            which.contenders,
            kind=which.kind,
            tolerance=which.tolerance,
        )
        say(f"{which.title}: {which.axis} {size:,}")
        figures[str(size)] = compare(stable, point, settings)
    return figures


def growths(stable: Stable, settings: Settings, say: Say) -> Figure:
    """All of them, by key."""
    return {which.key: growth(stable, which, settings, say) for which in GROWTHS}
