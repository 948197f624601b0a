"""Calls cost no memory: a million of the smallest, and many of those that do something."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import staticgraph as sg

ROOT = Path(sg.__file__).parent.parent
PREAMBLE = """
    import numpy as np
    import staticgraph as sg
    from pathlib import Path

    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    def measure(call, warm, count):
        for _ in range(warm):
            call()
        before = resident()
        for _ in range(count):
            call()
        print(resident() - before)
"""
PROGRAMS = {
    "a neuron": """
        x, w, b = (sg.placeholder("float64", ()) for _ in range(3))
        y = sg.tanh(w * x + b)
        call = sg.Session().make_callable([y, *sg.gradients(y, [w, b])], [x, w, b])
        measure(lambda: call(1.0, 2.0, 3.0), 20_000, 1_000_000)
    """,
    "arrays and variables": """
        x = sg.placeholder("float32", (None, 30))
        w, b = sg.Variable(np.zeros((30, 20), "float32")), sg.Variable(np.zeros(20, "float32"))
        loss = sg.mean(sg.softmax(x @ w + b) ** 2)
        step = sg.train.Adam(0.01).minimize(loss, [w, b])
        session = sg.Session()
        fed = [np.ones((n, 30), "float32") for n in (1, 5, 16)]
        measure(lambda: [session.run([loss, step, w], {x: each}) for each in fed], 1000, 20_000)
    """,
    "loops, branches and stacks": """
        x = sg.placeholder("float64", (None,))
        h, rows = sg.scan(lambda h, v: (sg.tanh(h + v), h * v), sg.zeros((9,), "float64"), x)
        y = sg.while_loop(lambda i, v: sg.sum(v) < 50.0, lambda i, v: (i + 1, v + 1.0), (0, h))[1]
        z = sg.cond(sg.sum(y) > 0.0, lambda: y + sg.sum(rows), lambda: h)
        fetches = [z, rows, *sg.gradients(sg.sum(z), x)]
        session = sg.Session()
        fed = [np.linspace(-1.0, 1.0, n) for n in (2, 17, 40)]
        measure(lambda: [session.run(fetches, {x: each}) for each in fed], 1000, 10_000)
    """,
    "order, sets and segments": """
        x = sg.placeholder("float64", (None,))
        k = sg.cast(sg.floor(x * 4.0), "int64") % 7
        values, counts = sg.unique_counts(k)
        order = sg.argsort(x, descending=True)
        spread = sg.segment_sum(x, k, 7), sg.quantile(x, 0.3), sg.searchsorted(sg.sort(x), x)
        taken = sg.sum(sg.sort(x)[sg.nonzero(x > 0.0)[0]] ** 2)
        fetches = [values, counts, order, *spread, *sg.top_k(x, 2), *sg.gradients(taken, x)]
        session = sg.Session()
        fed = [np.sin(np.arange(float(n))) for n in (3, 40, 300)]
        measure(lambda: [session.run(fetches, {x: each}) for each in fed], 300, 3400)
    """,
    "spectra, factors and draws": """
        x = sg.placeholder("float64", (None, 5))
        m = sg.einsum("ij,ik->jk", x, x) + 5.0 * sg.eye(5, dtype="float64")
        w, q = sg.linalg.eigh(m)
        z = sg.fft.fft(sg.complex(x, sg.sin(x)), axis=0)
        half = sg.cast(sg.cast(x, "bfloat16"), "float64")
        drawn = sg.random.normal(sg.shape(x)), sg.random.poisson(1.0 + x * x)
        y = sg.sum(sg.linalg.solve(m, sg.matrix_transpose(x))) + sg.sum(sg.abs(z)) + sg.sum(half)
        fetches = [w, q, z, *drawn, sg.linalg.svdvals(x), *sg.gradients(y, x)]
        session = sg.Session()
        fed = [np.sin(np.arange(5.0 * n)).reshape(n, 5) for n in (2, 9, 30)]
        measure(lambda: [session.run(fetches, {x: each}) for each in fed], 300, 3400)
    """,
    "singular matrices": """
        x = sg.placeholder("float64", (None, None))
        fetches = [sg.sort(x), sg.linalg.inv(x @ x), sg.unique_values(x)]
        session = sg.Session()
        fed = np.ones((40, 40))

        def call():
            try:
                session.run(fetches, {x: fed})
            except sg.RunError:
                return
            raise AssertionError("no error")

        measure(call, 200, 2000)
    """,
    "failures": """
        x = sg.placeholder("float64", (None,))
        v = sg.Variable(np.zeros(1000))
        y = sg.take(sg.cumsum(x), sg.size(x) + 1, axis=0)
        fetches = [y, v.assign(v + y)]
        session = sg.Session()
        fed = np.ones(5000)

        def call():
            try:
                session.run(fetches, {x: fed})
            except sg.RunError:
                return
            raise AssertionError("no error")

        measure(call, 300, 3000)
    """,
}


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for memory in use")
@pytest.mark.parametrize("name", list(PROGRAMS))
def test_calls_leave_nothing_behind(name: str) -> None:
    script = textwrap.dedent(PREAMBLE) + textwrap.dedent(PROGRAMS[name])
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=300,
        env={"STATICGRAPH_CHECK": "0", "PATH": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 1 << 20
