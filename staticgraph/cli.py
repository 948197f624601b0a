"""The command `staticgraph`: the demo, and a list of functions and ops."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from types import FunctionType

from rich.console import Console
from rich.table import Table

import staticgraph
from staticgraph.config import LazyModule
from staticgraph.core.opdef import NOT_DIFFERENTIABLE, ZERO_DERIVATIVE, OpDef, registered

# Needs the extra `demo`, which the other commands do without.
show = LazyModule("staticgraph.demo.show")

# Whose functions are listed beside those of the package itself.
NAMESPACES = ("fft", "initializers", "linalg", "nn", "random", "train")
# As shells report a program that an interrupt has ended.
_INTERRUPTED = 130

_DEMO_PACKAGES = {
    "sklearn": "scikit-learn",
    "matplotlib": "matplotlib",
    "threadpoolctl": "threadpoolctl",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status: 0, 1 when it could not do what was asked, 130
    when it was interrupted.

    >>> main(["ops", "no such word"])
    1
    """
    given = _parser().parse_args(arguments)
    if given.command == "ops":
        return _ops(given.word)
    return _demo(given.output, given.steps, given.seed)


def version() -> str:
    """The installed version."""
    try:
        return metadata.version("staticgraph")
    except metadata.PackageNotFoundError:
        return "(not installed)"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="staticgraph", description="A static-graph (define-then-run) array compiler."
    )
    parser.add_argument("--version", action="version", version=f"staticgraph {version()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    demo = commands.add_parser(
        "demo",
        help="train a classifier of handwritten digits, with plots, pictures and the report",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    demo.add_argument(
        "--output", type=Path, default=Path("staticgraph-demo"), help="folder to write to"
    )
    demo.add_argument("--steps", type=_positive, default=2000, help="steps of training")
    demo.add_argument(
        "--seed", type=_seed, default=0, help="of the split, the initial weights and the batches"
    )
    ops = commands.add_parser("ops", help="list functions and ops")
    ops.add_argument("word", nargs="?", default="", help="list only those that this word stands in")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 1")
    return int(text)


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 1 << 32:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 to 2**32 - 1")
    return int(text)


# -- the commands -----------------------------------------------------------------------------


def _demo(output: Path, steps: int, seed: int) -> int:
    try:
        run = show.demo
    except ModuleNotFoundError as error:
        missing = _DEMO_PACKAGES.get((error.name or "").partition(".")[0])
        if missing is None:
            raise
        return _refuse(
            f"staticgraph demo: {missing} is not installed\n"
            "  the demo trains on scikit-learn's digits and plots with matplotlib\n"
            "  install what it needs: pip install 'staticgraph[demo]', or in a clone pip install "
            "'.[demo]'"
        )
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return _refuse(
            f"staticgraph demo: cannot write to {output}: {error.strerror}\n"
            "  name another folder: staticgraph demo --output DIR"
        )
    try:
        run(output, steps, seed, Console(highlight=False))
    except KeyboardInterrupt:
        return _refuse(f"staticgraph demo: interrupted; {output} is not complete", _INTERRUPTED)
    return 0


def _refuse(message: str, status: int = 1) -> int:
    print(message, file=sys.stderr)
    return status


def _ops(word: str) -> int:
    chosen = [op for op in registered() if word in op.name or word in op.doc]
    functions = _functions(word)
    if not chosen and not functions:
        return _refuse(f"no op or function has {word!r} in its name or description")
    console = Console(highlight=False)
    if chosen:
        console.print(_table_of_ops(chosen))
        console.print(f"{len(chosen)} ops")
    if functions:
        table = Table(box=None, padding=(0, 2, 0, 0))
        table.add_column("function", no_wrap=True)
        table.add_column("meaning")
        for name, meaning in functions:
            table.add_row(name, meaning.replace("[", "\\["))
        console.print(table)
        console.print(f"{len(functions)} functions")
    return 0


def _table_of_ops(chosen: Sequence[OpDef]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("op", "operands", "attributes", "derivative", "meaning"):
        table.add_column(heading, no_wrap=heading != "meaning")
    for op in sorted(chosen, key=lambda op: op.name):
        # The rest of a description is for those who have found the op.
        meaning = op.doc.partition(". ")[0].partition("\n\n")[0].rstrip(".")
        cells = (op.name, " ".join(op.operands), " ".join(op.attrs), _derivative(op), meaning)
        table.add_row(*[cell.replace("[", "\\[") for cell in cells])
    return table


def _functions(word: str) -> list[tuple[str, str]]:
    """The public functions in whose name or summary a word stands, with the summary."""
    found: list[tuple[str, str]] = []
    for space in ("", *NAMESPACES):
        module = getattr(staticgraph, space) if space else staticgraph
        for name in module.__all__:
            function = getattr(module, name)
            if not isinstance(function, FunctionType) or not function.__doc__:
                continue
            summary = " ".join(function.__doc__.partition("\n\n")[0].split()).rstrip(".")
            if word in name or word in summary:
                found.append((f"sg.{space}.{name}" if space else f"sg.{name}", summary))
    return found


def _derivative(op: OpDef) -> str:
    if op.vjp is ZERO_DERIVATIVE:
        return "zero"
    return "none" if op.vjp is NOT_DIFFERENTIABLE else "yes"
