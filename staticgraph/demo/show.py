"""What `staticgraph demo` shows of digits.py: a progress bar, plots, pictures and the report."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from threadpoolctl import threadpool_limits

import staticgraph as sg
from staticgraph.demo import digits

# How often the accuracies are measured in one training.
_MEASUREMENTS = 100

# The loss of a network that gives just what is wanted of it: 0.91 once, 0.01 nine times.
_LEAST_LOSS = -(0.91 * math.log(0.91) + 0.09 * math.log(0.01))

_BLUE, _RED, _GREY = "#2166ac", "#b2182b", "#b8c4d0"


@dataclass(frozen=True)
class Course:
    """How a training went.

    losses      one per step
    measured    the steps after which the accuracies were measured, the last step among them
    training    accuracy on the training images, one per entry of `measured`
    test        accuracy on the test images, likewise
    seconds     wall time, measuring included
    """

    losses: list[float]
    measured: list[int]
    training: list[float]
    test: list[float]
    seconds: float


def demo(output: Path, steps: int, seed: int, console: Console) -> float:
    """Trains, writes everything into the folder `output`, and returns the test accuracy."""
    output.mkdir(parents=True, exist_ok=True)
    data, test = digits.load(seed)
    with sg.Graph().as_default() as graph:
        network = digits.build()
        graph.finalize()
        # For matrices as small as these, threads of the matrix library only wait for each other.
        with sg.Session(seed=seed) as session, threadpool_limits(1):
            course = follow(network, session, data, test, steps, seed, console)
        before = sg.extract(network.step)
        after = sg.optimize(network.step)
    plot(course, output / "loss_and_accuracy.png")
    # Few enough marks that the update of each variable is one; the derivatives stay in full.
    sg.render({"as built": before}, output / "graph_before.svg", max_nodes=80)
    sg.render({"as it is run": after}, output / "graph_after.svg", max_nodes=80)
    (output / "report.txt").write_text(f"{after.report}\n", encoding="utf-8")
    summary(course, len(before), len(after), len(test["labels"]), output, console)
    return course.test[-1]


def follow(
    network: digits.Network,
    session: sg.Session,
    data: dict[str, Any],
    test: dict[str, Any],
    steps: int,
    seed: int,
    console: Console,
) -> Course:
    """Trains under a progress bar and measures accuracies now and then."""
    losses: list[float] = []
    measured: list[int] = []
    accuracies: tuple[list[float], list[float]] = ([], [])
    interval = max(1, steps // _MEASUREMENTS)
    started = time.perf_counter()
    columns = (
        TextColumn("training"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[state]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("training", total=steps, state="")
        for loss in digits.train(network, session, data, steps, seed):
            losses.append(loss)
            if len(losses) % interval == 0 or len(losses) == steps:
                measured.append(len(losses))
                for images, values in zip((data, test), accuracies, strict=True):
                    values.append(float(session.run(network.accuracy, images)))
            state = f"loss {loss:.4f}"
            if measured:
                state += f"  test accuracy {accuracies[1][-1]:.1%}"
            progress.update(task, advance=1, state=state)
    return Course(losses, measured, *accuracies, time.perf_counter() - started)


def plot(course: Course, path: Path) -> None:
    """The loss of every step with its running mean, and both accuracies."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    steps = np.arange(1, len(course.losses) + 1)
    left.plot(steps, course.losses, color=_GREY, linewidth=0.8, label="one batch of 64 images")
    window = max(1, len(steps) // 40)
    smooth = np.convolve(course.losses, np.full(window, 1 / window), mode="valid")
    left.plot(steps[window - 1 :], smooth, color=_BLUE, label=f"mean of the last {window} batches")
    left.axhline(_LEAST_LOSS, color=_BLUE, linewidth=0.8, linestyle=":", label="the least possible")
    left.set(yscale="log", xlabel="step", ylabel="cross-entropy", title="loss")
    left.yaxis.set_major_formatter("{x:g}")
    left.yaxis.set_minor_formatter("{x:g}")
    right.plot(course.measured, course.training, color=_GREY, label="training images")
    right.plot(course.measured, course.test, color=_RED, label="test images, never trained on")
    right.axhline(course.test[-1], color=_RED, linewidth=0.8, linestyle=":")
    right.set(xlabel="step", title=f"accuracy: {course.test[-1]:.1%} on the test images")
    # The first steps, far below, would flatten what there is to see.
    right.set_ylim(0.85 if course.test[-1] > 0.9 else 0.0, 1.005)
    right.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    for axes, corner in ((left, "upper right"), (right, "lower right")):
        axes.legend(frameon=False, loc=corner)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def summary(
    course: Course, before: int, after: int, images: int, output: Path, console: Console
) -> None:
    """Prints what was reached and what was written."""
    right = round(course.test[-1] * images)
    console.print(
        f"[bold]{course.test[-1]:.1%}[/] of the test images recognised ({right} of {images}), "
        f"after {len(course.losses):,} steps in {course.seconds:.1f} s",
        soft_wrap=True,
    )
    console.print(f"\nwritten to {output}", markup=False, soft_wrap=True)
    table = Table(box=None, padding=(0, 2, 0, 2), show_header=False)
    table.add_row("loss_and_accuracy.png", "how the training went")
    table.add_row("graph_before.svg", f"one step as it was built: {before} nodes")
    table.add_row("graph_after.svg", f"one step as it is run: {after} nodes")
    table.add_row("report.txt", "what each pass of the optimizer did")
    console.print(table)
