"""How each stage grows with the graph: time at 100,000 nodes over time at 10,000.

Run it with ``python -m tests.benchmarks.scaling``; ``--write`` puts the table into
docs/benchmarks.md. Each measurement has a process of its own; sizes take turns and medians are
taken, since machines are shared; the ratio is what counts. Linear growth is a ratio of 10; the
project's bound is 12.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import staticgraph as sg

SMALL, LARGE = 10_000, 100_000
PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- scaling: begin -->", "<!-- scaling: end -->"

Builder = Callable[[sg.Tensor, int], sg.Tensor]


def chain(x: sg.Tensor, nodes: int) -> sg.Tensor:
    """A chain: each node takes the one before it, every other one also the input."""
    value = x
    for _ in range(nodes // 2):
        value = sg.tanh(value) + x
    return value


def balanced(x: sg.Tensor, nodes: int) -> sg.Tensor:
    """A balanced binary tree whose leaves all differ, so that nothing in it can be shared."""
    level = [sg.sin(x * (1.0 + 1e-6 * leaf)) for leaf in range(nodes // 4)]
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        joined = [left + right for left, right in pairs]
        if len(level) % 2:
            joined.append(level[-1])
        level = joined
    return level[0]


SHAPES: dict[str, Builder] = {"chain": chain, "balanced": balanced}


def measure(shape: Builder, nodes: int) -> dict[str, float]:
    """Seconds per stage for one graph of about `nodes` nodes."""
    seconds: dict[str, float] = {}

    def timed(stage: str, work: Callable[[], object]) -> object:
        started = time.perf_counter()
        result = work()
        seconds[stage] = time.perf_counter() - started
        return result

    graph = sg.Graph()
    with graph.as_default():
        x = sg.placeholder("float32", (), name="x")
        y = timed("build", lambda: shape(x, nodes))
        assert isinstance(y, sg.Tensor)
        (slope,) = timed("gradients", lambda: sg.gradients(y, x))  # type: ignore[misc]
        function = timed("extract", lambda: sg.extract([y, slope]))
        optimized = timed("optimize", lambda: sg.optimize(function))
        timed("print", lambda: str(optimized))
        session = sg.Session(graph)
        call = timed("plan", lambda: session.make_callable([y, slope], [x]))
        assert callable(call)
        timed("run", lambda: call(0.5))
    seconds["gradients + optimize"] = seconds["gradients"] + seconds["optimize"]
    return seconds


def measure_alone(shape: str, nodes: int) -> dict[str, float]:
    """`measure` in a process of its own: a program builds its graph once, in fresh memory."""
    command = [sys.executable, "-m", "tests.benchmarks.scaling", "--one", shape, str(nodes)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    seconds: dict[str, float] = json.loads(output)
    return seconds


def table(repeats: int) -> str:
    """The table of all stages, as Markdown."""
    rows = [
        "| graph | stage | us a node at 10,000 | us a node at 100,000 | growth (10 is linear) |",
        "|---|---|---|---|---|",
    ]
    for name in SHAPES:
        samples: dict[int, list[dict[str, float]]] = {SMALL: [], LARGE: []}
        for _ in range(repeats):
            for size, taken in samples.items():
                taken.append(measure_alone(name, size))
        for stage in samples[SMALL][0]:
            small = statistics.median(sample[stage] for sample in samples[SMALL])
            large = statistics.median(sample[stage] for sample in samples[LARGE])
            rows.append(
                f"| {name} | {stage} | {small / SMALL * 1e6:.1f} | {large / LARGE * 1e6:.1f} | "
                f"{large / small:.1f} |"
            )
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="put the table into docs/")
    parser.add_argument("--one", nargs=2, metavar=("SHAPE", "NODES"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        shape, nodes = SHAPES[arguments.one[0]], int(arguments.one[1])
        measure(shape, 1_000)  # what happens once in a process is not counted
        print(json.dumps(measure(shape, nodes)))
        return
    text = table(arguments.repeats)
    print(text)
    if arguments.write:
        page = PAGE.read_text()
        head, rest = page.split(BEGIN)
        tail = rest.split(END)[1]
        PAGE.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}")


if __name__ == "__main__":
    main()
