"""Two counters that chase each other: a loop inside the graph.

Run it alone: python examples/counters.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import staticgraph as sg

EAGER = """
An eager program runs Python for every iteration, and a compiler that traces it keeps the ten
iterations of these numbers or refuses. Here the loop is one operation: it is built once, and how
often it runs is up to what is fed.
"""

START = (0, 10)
FARTHER = (0, 100_000)


def chase(first: sg.Tensor, second: sg.Tensor) -> tuple[sg.Tensor, sg.Tensor]:
    """`first` goes two steps where `second` goes one, until it has caught up."""
    last_first, last_second = sg.while_loop(
        lambda first, second: first < second,
        lambda first, second: (first + 2, second + 1),
        [first, second],
        name="chase",
    )
    return last_first, last_second


def main(output: Path) -> dict[str, Any]:
    """Prints where the counters meet, draws the loop, and returns the figures."""
    output.mkdir(parents=True, exist_ok=True)
    with sg.Graph().as_default() as graph:
        first = sg.placeholder("int64", (), name="first")
        second = sg.placeholder("int64", (), name="second")
        ends = chase(first, second)
        graph.finalize()
        with sg.Session() as session:
            run = session.make_callable(ends, [first, second])
            near, far = run(*START), run(*FARTHER)
        picture = output / "counters.svg"
        sg.render(ends, picture, title="The loop is one operation that holds two functions")
        nodes = len(sg.extract(ends))

    for start, end in ((START, near), (FARTHER, far)):
        print(f"from {start[0]:>3,} and {start[1]:>7,}: met at {end[0]:,} and {end[1]:,}")
    print(f"either way the program has {nodes} operation, the loop")
    print(EAGER)
    print(f"wrote {picture}")
    return {"start": START, "end": near, "far": far, "nodes": nodes}


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "output")
