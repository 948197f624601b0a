"""The harness itself: workers answer, take turns, fail one by one; no clock is asserted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.benchmarks import calm, measure
from tests.benchmarks.compare import chosen, parsed
from tests.benchmarks.driver import Failure, Process, Stable, disagreement
from tests.benchmarks.measure import Settings
from tests.benchmarks.workloads import Workload

QUICK = Settings(rounds=3, batch=1e-4, processes=1)


@pytest.fixture
def stable() -> Iterator[Stable]:
    with Stable(limit=60) as made:
        yield made


def _neuron(*contenders: str, **more: Any) -> Workload:
    return Workload("neuron", "neuron", "neuron", "arrays", "us", contenders, **more)


def test_a_comparison_of_calls_gives_a_figure_for_each(stable: Stable) -> None:
    figures = measure.compare(stable, _neuron("staticgraph", "NumPy"), QUICK)
    assert list(figures) == ["staticgraph", "NumPy"]
    for figure in figures.values():
        assert figure["rounds"] == 3
        assert figure["low"] <= figure["median"] <= figure["high"]
    assert stable.versions["NumPy"] == {"numpy": np.__version__}


@pytest.mark.parametrize("kind", ["first", "second"])
def test_first_runs_have_new_processes_and_tell_their_parts(stable: Stable, kind: Any) -> None:
    figure = measure.compare(stable, _neuron("staticgraph", kind=kind), QUICK)["staticgraph"]
    assert figure["rounds"] == 1
    assert figure["whole"] > figure["load"] + figure["start"]


def test_the_peak_of_memory_is_above_what_was_there(stable: Stable) -> None:
    workload = Workload("x", "x", "elementwise", 1_000_000, "us", ("NumPy",))
    figure = measure.peak_memory(stable, workload)["NumPy"]
    if "error" in figure:
        pytest.skip(figure["error"])
    # Of the function's three or more arrays at least two are there at once, four megabytes each.
    assert 8_000_000 <= figure["run"] < 100_000_000


def test_a_library_that_is_not_installed_is_left_out(
    stable: Stable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        Process, "ask", lambda *_, **__: (_ for _ in ()).throw(Failure("ModuleNotFoundError: x"))
    )
    with pytest.raises(Failure, match="not installed"):
        stable.fresh("jax", stable.new_folder())
    assert stable.absent == {"jax": "not installed"}


def test_what_fails_in_a_library_is_its_figure_and_the_others_go_on(stable: Stable) -> None:
    workload = Workload("x", "x", "neuron", "arrays", "us", ("staticgraph", "NumPy"))
    process = stable.kept("staticgraph")
    with pytest.raises(Failure, match="KeyError"):
        process.ask("prepare", method="neuron", size="no such kind")
    process._process.send_signal(signal.SIGKILL)
    process._process.wait()
    figures = measure.compare(stable, workload, QUICK)
    assert all("median" in figure for figure in figures.values())


def test_a_worker_that_dies_says_what_it_printed_last(stable: Stable, tmp_path: Path) -> None:
    process, _ = stable.fresh("NumPy", tmp_path)
    with pytest.raises(Failure, match="AttributeError"):
        process.ask("no such request")
    process._process.send_signal(signal.SIGKILL)
    process._process.wait()
    with pytest.raises(Failure, match="ended with -9"):
        process.ask("release")


def test_a_worker_that_takes_too_long_is_ended(stable: Stable, tmp_path: Path) -> None:
    process, _ = stable.fresh("NumPy", tmp_path)
    process.ask("prepare", method="scalar_while", size=100)
    process.limit = 0.01
    with pytest.raises(Failure, match="no answer"):
        process.ask("measure", calls=10_000_000, warm=1)
    assert not process.alive


class Actors:
    """Stands in for `Stable`: notes who was asked what, and answers at once."""

    def __init__(self, seconds: float) -> None:
        self.asked: list[tuple[str, str]] = []
        self.seconds = seconds

    def kept(self, name: str) -> Any:
        actors = self

        class Actor:
            number = 0

            def ask(self, action: str, **_: Any) -> dict[str, Any]:
                actors.asked.append((name, action))
                return {"calls": 10, "each": actors.seconds, "seconds": actors.seconds}

        return Actor()

    def drop(self, name: str) -> None:
        self.asked.append((name, "drop"))

    def new_folder(self) -> Path:
        return Path()


@pytest.mark.parametrize(("seconds", "rounds"), [(1e-6, 4), (5.0, 3)])
def test_contenders_take_turns_and_each_begins_once(
    monkeypatch: pytest.MonkeyPatch, seconds: float, rounds: int
) -> None:
    monkeypatch.setattr(measure, "disagreement", lambda *_: None)
    monkeypatch.setattr(calm, "busy_seconds", lambda: None)
    actors: Any = Actors(seconds)
    names = ("staticgraph", "NumPy", "jax")
    figures = measure.compare_calls(actors, _neuron(*names), Settings(rounds=4))
    turns = [name for name, action in actors.asked if action == "measure"]
    assert len(turns) == 3 * rounds
    for turn in range(rounds):
        assert turns[3 * turn : 3 * turn + 3] == measure.rotated(names, turn)
    assert figures["jax"]["rounds"] == rounds


@pytest.mark.parametrize(
    ("shares", "taken"), [([0.5, 0.02, 0.0], 1), ([0.5, 0.2, 0.3], 1), ([0.0], 0)]
)
def test_a_disturbed_round_is_tried_again_and_the_calmest_counts(
    monkeypatch: pytest.MonkeyPatch, shares: list[float], taken: int
) -> None:
    monkeypatch.setattr(calm, "PAUSE_SECONDS", 0.0)
    attempts = iter(range(len(shares)))

    def watch(_: int | None, work: Any) -> Any:
        attempt = work()
        return attempt, calm.Watched(shares[attempt])

    monkeypatch.setattr(calm, "watch", watch)
    attempt, watched = calm.calmest(0, lambda: next(attempts), len(shares))
    assert attempt == taken
    assert watched.calm == (shares[taken] <= calm.TOLERATED)


def test_what_another_process_does_is_a_disturbance() -> None:
    """This process's own work is none, and neither is a session's that is watched."""
    if calm.busy_seconds() is None:
        pytest.skip("this system does not tell")
    code = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    alone = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    before = calm.session_seconds(alone.pid)
    while calm.session_seconds(alone.pid) < before + 0.1:
        pass
    assert calm.session_seconds(os.getpid() + 10**7) == 0.0
    _, watched = calm.watch(None, lambda: time.sleep(0.1))
    alone.wait()
    assert watched.others is not None and watched.others > 0.0


def test_results_that_differ_are_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "disagreement", lambda *_: "result 0 differs")
    actors: Any = Actors(1.0)
    figures = measure.compare_calls(actors, _neuron("jax"), QUICK)
    assert figures == {"jax": {"error": "result 0 differs"}}
    assert ("jax", "measure") not in actors.asked


@pytest.mark.parametrize(
    ("got", "message"),
    [
        ([np.array([1.0, 2.0])], None),
        ([np.array([1.0, 2.001])], None),
        ([np.array([1.0, 2.1])], "result 0 differs from NumPy's by 5.0e-02"),
        ([np.array([1.0, np.nan])], "result 0 differs from NumPy's by nan"),
        ([np.array([1.0])], "result 0 has shape (1,), NumPy's (2,)"),
        ([], "gives 0 results, NumPy 1"),
    ],
)
def test_disagreement(tmp_path: Path, got: list[Any], message: str | None) -> None:
    np.savez(tmp_path / "got.npz", *got)
    np.savez(tmp_path / "wanted.npz", np.array([1.0, 2.0]))
    assert disagreement(tmp_path / "got.npz", tmp_path / "wanted.npz", 1e-3) == message


def test_a_slow_contender_has_three_rounds_at_least() -> None:
    settings = Settings(rounds=15, patience=20.0)
    assert settings.allowed(0.1, 15) == 15
    assert settings.allowed(4.0, 15) == 5
    assert settings.allowed(60.0, 15) == 3
    assert settings.allowed(60.0, 2) == 2


def test_the_command_line_picks_workloads_and_interpreters() -> None:
    arguments = parsed(["--only", "neuron", "--python", "tensorflow=/opt/python", "--rounds", "5"])
    assert arguments.pythons == {"tensorflow": "/opt/python"}
    assert arguments.settings.rounds == 5
    keys = [workload.key for workload in chosen("calls", arguments.only)]
    assert keys == ["neuron", "neuron_scalars", "neuron_run", "neuron_run_floats"]
