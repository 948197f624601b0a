"""Runs workers and lets them take turns: while one measures, all others stand still.

Every worker is stopped (SIGSTOP) unless it has been asked something, threads that spin included.
A worker that fails, dies or takes too long gives a `Failure` for the workload in hand; the others
go on, and the next workload gets a new process.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.libraries import CONTENDERS, environment

ROOT = Path(__file__).resolve().parents[2]


class Failure(Exception):
    """What a contender could not do, in a line."""


class Process:
    """A worker process, standing still unless it is asked something.

    caches      the folder for what libraries keep on disk
    limit       seconds that an answer may take
    """

    def __init__(self, name: str, python: str, caches: Path, limit: float) -> None:
        self.name, self.limit = name, limit
        self.started = time.perf_counter()
        # It lives as long as the process, and `close` closes it.
        self._notes = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            [python, "-m", "tests.benchmarks.worker", name],
            cwd=ROOT,
            env={**os.environ, **environment(CONTENDERS[name], str(caches))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._notes,
            text=True,
            start_new_session=True,
        )
        self._stopped = False

    def ask(self, action: str, **fields: Any) -> dict[str, Any]:
        """The answer to a request; Failure where there is none."""
        self._signal(signal.SIGCONT)
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"do": action, **fields}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._died() from None
        found: dict[str, Any] = json.loads(self._line())
        self._signal(signal.SIGSTOP)
        if "error" in found:
            raise Failure(found["error"])
        return found

    def _line(self) -> str:
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], self.limit)[0]:
            self.close()
            raise Failure(f"no answer within {self.limit:.0f} s")
        line = self._process.stdout.readline()
        if not line:
            raise self._died()
        return line

    def _died(self) -> Failure:
        code = self._process.wait()
        self._notes.seek(0)
        lines = self._notes.read().strip().splitlines()
        self.close()
        return Failure(f"ended with {code}: {lines[-1][:160] if lines else 'no message'}")

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    @property
    def number(self) -> int:
        """The number of the process, and of the session that it leads."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def close(self) -> None:
        """Ends it, and what it started."""
        self._signal(signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._notes):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


class Stable:
    """All workers of a comparison, the folders of their caches, and who is not installed.

    pythons     the interpreter of a library that has one of its own, by family
    """

    def __init__(self, pythons: Mapping[str, str] | None = None, limit: float = 600.0) -> None:
        self.pythons, self.limit = dict(pythons or {}), limit
        self.folder = Path(tempfile.mkdtemp(prefix="staticgraph-benchmarks-"))
        self.versions: dict[str, dict[str, str]] = {}
        self.absent: dict[str, str] = {}
        self._kept: dict[str, Process] = {}
        self._folders = 0

    def new_folder(self) -> Path:
        """An empty folder."""
        self._folders += 1
        path = self.folder / str(self._folders)
        path.mkdir()
        return path

    def fresh(self, name: str, caches: Path) -> tuple[Process, dict[str, Any]]:
        """A new process with its library loaded, and how long that took."""
        if name in self.absent:
            raise Failure(self.absent[name])
        missing = missing_feature(name)
        if missing is not None:
            self.absent[name] = missing
            raise Failure(missing)
        python = self.pythons.get(CONTENDERS[name].family, sys.executable)
        process = Process(name, python, caches, self.limit)
        try:
            loaded = process.ask("load")
        except BaseException as failure:
            process.close()
            if isinstance(failure, Failure) and "ModuleNotFoundError" in str(failure):
                self.absent[name] = "not installed"
                raise Failure("not installed") from None
            raise
        self.versions[name] = loaded["versions"]
        return process, loaded

    def kept(self, name: str) -> Process:
        """The process of a contender that stays from workload to workload."""
        if name in self._kept and not self._kept[name].alive:
            self.drop(name)
        if name not in self._kept:
            self._kept[name] = self.fresh(name, self.new_folder())[0]
        return self._kept[name]

    def drop(self, name: str) -> None:
        """Ends a process that stays, after it has failed."""
        process = self._kept.pop(name, None)
        if process is not None:
            process.close()

    def __enter__(self) -> Stable:
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self._kept):
            self.drop(name)
        shutil.rmtree(self.folder, ignore_errors=True)


def missing_feature(name: str) -> str | None:
    """Why a contender makes no sense on this processor; None if it does."""
    needs = CONTENDERS[name].needs
    path = Path("/proc/cpuinfo")
    if needs is None or (path.exists() and needs in path.read_text().split()):
        return None
    return f"the processor has no {needs}"


def disagreement(got: Path, wanted: Path, tolerance: float) -> str | None:
    """Where results differ by more than `tolerance` of the largest entry; None if nowhere."""
    with np.load(got) as ours, np.load(wanted) as theirs:
        if len(ours.files) != len(theirs.files):
            return f"gives {len(ours.files)} results, NumPy {len(theirs.files)}"
        for number, name in enumerate(ours.files):
            have, want = np.asarray(ours[name], np.float64), np.asarray(theirs[name], np.float64)
            if have.shape != want.shape:
                return f"result {number} has shape {have.shape}, NumPy's {want.shape}"
            scale = max(float(np.max(np.abs(want), initial=0.0)), 1e-30)
            error = float(np.max(np.abs(have - want), initial=0.0)) / scale
            if not error <= tolerance:
                return f"result {number} differs from NumPy's by {error:.1e}"
    return None
