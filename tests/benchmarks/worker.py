"""The process of one contender: reads requests as lines of JSON, answers each with one line.

Requests come on standard input; answers go to what was standard output, which is put aside first:
a library may print what it likes. The coordinator (`driver`) lets one worker run at a time.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
import traceback
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks import inputs
from tests.benchmarks.libraries import CONTENDERS
from tests.benchmarks.peers.base import Peer, Prepared

# A batch of calls that takes this long is not disturbed by the clock.
CALIBRATION_SECONDS = 0.005


def timed(function: Any, arguments: tuple[Any, ...], calls: int) -> float:
    """Seconds for that many calls, the garbage collector waiting."""
    gc.disable()
    try:
        started = time.perf_counter()
        for _ in repeat(None, calls):
            function(*arguments)
        return time.perf_counter() - started
    finally:
        gc.enable()


def _status(key: str) -> int | None:
    """A figure of this process in bytes, from Linux's /proc; None elsewhere."""
    path = Path("/proc/self/status")
    if not path.exists():
        return None
    for line in path.read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    return None


def _forget_peak() -> None:
    """Makes the peak of resident memory what is resident now."""
    path = Path("/proc/self/clear_refs")
    if path.exists():
        path.write_text("5")


class Worker:
    """What the requests do; a method for each, its keywords the fields of the request."""

    def __init__(self, name: str) -> None:
        self.contender = CONTENDERS[name]
        self.peer: Peer | None = None
        self.inputs: inputs.Inputs = ()
        self.prepared: Prepared | None = None

    def load(self) -> dict[str, Any]:
        """Imports the library, runs something tiny in it."""
        started = time.perf_counter()
        module = importlib.import_module(f"tests.benchmarks.peers.{self.contender.module}")
        self.peer = getattr(module, self.contender.kind)()
        loaded = time.perf_counter()
        self.peer.start()
        done = time.perf_counter()
        return {
            "load": loaded - started,
            "start": done - loaded,
            "versions": self.peer.versions(),
        }

    def prepare(self, method: str, size: Any) -> dict[str, Any]:
        """Makes the inputs, then clocks setup and first call."""
        assert self.peer is not None
        self.inputs = inputs.make(method, size)
        gc.collect()
        _forget_peak()
        before = _status("VmRSS")
        started = time.perf_counter()
        self.prepared = getattr(self.peer, method)(self.inputs)
        self.prepared.function(*self.prepared.arguments)
        seconds = time.perf_counter() - started
        return {"seconds": seconds, "resident": before, "peak": _status("VmHWM")}

    def results(self, path: str) -> dict[str, Any]:
        """Writes the values that libraries have to agree on."""
        assert self.prepared is not None
        values = self.prepared.values()
        np.savez(path, *values)
        return {"count": len(values)}

    def calibrate(self, batch: float) -> dict[str, Any]:
        """How many calls make a batch of that many seconds; warms up on the way."""
        assert self.prepared is not None
        calls = 1
        while True:
            seconds = timed(self.prepared.function, self.prepared.arguments, calls)
            if seconds >= min(batch, CALIBRATION_SECONDS):
                break
            calls *= 2
        each = seconds / calls
        return {"calls": max(1, round(batch / each)), "each": each}

    def measure(self, calls: int, warm: int) -> dict[str, Any]:
        """Seconds a call, after some that are not counted."""
        assert self.prepared is not None
        function, arguments = self.prepared.function, self.prepared.arguments
        timed(function, arguments, warm)
        return {"seconds": timed(function, arguments, calls) / calls}

    def memory(self, calls: int) -> dict[str, Any]:
        """The peak of resident memory while called."""
        assert self.prepared is not None
        gc.collect()
        _forget_peak()
        for _ in range(calls):
            self.prepared.function(*self.prepared.arguments)
        return {"peak": _status("VmHWM")}

    def release(self) -> dict[str, Any]:
        """Drops the workload."""
        assert self.peer is not None
        self.prepared, self.inputs = None, ()
        self.peer.reset()
        gc.collect()
        return {}


def answer(worker: Worker, request: dict[str, Any]) -> dict[str, Any]:
    """What a request gives; an exception becomes a field `error`."""
    action = request.pop("do")
    try:
        found: dict[str, Any] = getattr(worker, action)(**request)
        return found
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        first = (str(error).strip() or "no message").splitlines()[0]
        return {"error": f"{type(error).__name__}: {first[:160]}"}


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    worker = Worker(sys.argv[1])
    for line in sys.stdin:
        print(json.dumps(answer(worker, json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
