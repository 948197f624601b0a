"""The table of workloads: what each is, who can do it, and what is wanted of staticgraph.

A setup is the method `method` of a contender's class (see `libraries` and `peers`), called with
`inputs.make(method, size)`. A test sees to it that each contender that a record names has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tests.benchmarks.libraries import OURS

BEST = "the best"

Kind = Literal["call", "first", "second"]
MatmulCase = tuple[str, int, int, int, int, str]


@dataclass(frozen=True)
class Wanted:
    """`peer`'s time over ours is to be at least `times`; BEST is the fastest of all peers."""

    peer: str
    times: float


@dataclass(frozen=True)
class Workload:
    """One row of the comparison.

    kind        ``call``: the time of one call, again and again in one process. ``first``: from
                building to the first result, in a new process with empty caches. ``second``: the
                same where an earlier process has filled the caches
    unit        of its times in tables
    wanted      ratios; `below` is a bound on our own time in seconds, what starts with the first
                session included
    tolerance   how far results may differ from NumPy's, relative to the largest entry
    """

    key: str
    title: str
    method: str
    size: Any
    unit: str
    contenders: tuple[str, ...]
    wanted: tuple[Wanted, ...] = ()
    kind: Kind = "call"
    below: float | None = None
    tolerance: float = 1e-4


BOTH = (OURS, f"{OURS} contract")
TORCH = ("torch", "torch.compile")
ALL = (*BOTH, "NumPy", "jax", "PyTensor", *TORCH, "TensorFlow 1")

CALLS = (
    Workload(
        "neuron",
        "neuron, value and 2 gradients, 0-d arrays, `make_callable`",
        "neuron",
        "arrays",
        "us",
        (OURS, "NumPy", "jax", "PyTensor", "PyTensor trusting", *TORCH, "TensorFlow 1"),
        (Wanted("jax", 25), Wanted("PyTensor trusting", 8)),
    ),
    Workload(
        "neuron_scalars",
        "the same, NumPy scalars in, NumPy out",
        "neuron",
        "scalars",
        "us",
        (OURS, "NumPy", "jax from NumPy", "PyTensor", "TensorFlow 1"),
    ),
    Workload(
        "neuron_run",
        "the same by `Session.run(list, dict)`, 0-d arrays",
        "neuron_run",
        "arrays",
        "us",
        (OURS, "jax", "TensorFlow 1"),
        (Wanted("TensorFlow 1", 100), Wanted("jax", 4)),
    ),
    Workload(
        "neuron_run_floats",
        "the same by `Session.run(list, dict)`, Python floats",
        "neuron_run",
        "floats",
        "us",
        (OURS, "jax", "TensorFlow 1"),
    ),
    Workload(
        "elementwise_gradient",
        "sum(tanh(2x+1)*exp(-x*x)) and gradient, 1e6 float32",
        "elementwise_gradient",
        1_000_000,
        "us",
        ALL,
        (Wanted(BEST, 4),),
    ),
    Workload(
        "elementwise",
        "tanh(2x+1)*exp(-x*x), 1e6 float32",
        "elementwise",
        1_000_000,
        "us",
        ALL,
        (Wanted("jax", 2.5),),
    ),
    Workload(
        "multilayer_step",
        "MLP step 784-256-10, batch 128, SGD in place",
        "multilayer_step",
        128,
        "us",
        ALL,
        (Wanted(BEST, 1.6),),
    ),
    Workload(
        "scalar_while",
        "scalar while loop, 1e6 steps",
        "scalar_while",
        1_000_000,
        "ms",
        (*BOTH, "NumPy", "jax", "PyTensor", "TensorFlow 1"),
        (Wanted("jax", 2.2), Wanted("TensorFlow 1", 1500)),
        # Rounding once or twice a step leaves other digits after a million steps.
        tolerance=0.03,
    ),
    Workload(
        "recurrent_gradient",
        "RNN, 100 steps, batch 32, width 64, forward and backward",
        "recurrent_gradient",
        100,
        "us",
        (*BOTH, "NumPy", "jax", "PyTensor", "torch", "TensorFlow 1"),
        (Wanted("jax", 2.2),),
    ),
    Workload(
        "searching_while_gradient",
        "gradient through a data-dependent while, 1e5 scalar steps",
        "searching_while_gradient",
        100_000,
        "ms",
        (*BOTH, "NumPy", "PyTensor", "torch", "TensorFlow 1"),
        (Wanted("TensorFlow 1", 200),),
        tolerance=1e-8,
    ),
)

FIRSTS = (
    Workload(
        "first_multilayer",
        "compile and first run, nothing cached: the MLP step",
        "multilayer_step",
        128,
        "ms",
        (OURS, "jax", "PyTensor", *TORCH, "TensorFlow 1"),
        (Wanted("jax", 10), Wanted("TensorFlow 1", 3)),
        "first",
    ),
    Workload(
        "second_multilayer",
        "the same in a second process",
        "multilayer_step",
        128,
        "ms",
        (OURS, "jax, disk cache", "PyTensor", "torch.compile"),
        (Wanted("PyTensor", 20), Wanted("torch.compile", 20)),
        "second",
        below=0.015,
    ),
    Workload(
        "first_recurrent",
        "compile and first run, nothing cached: the RNN",
        "recurrent_gradient",
        100,
        "ms",
        (OURS, "jax", "PyTensor", "torch", "TensorFlow 1"),
        (Wanted("jax", 8),),
        "first",
    ),
    Workload(
        "first_chain",
        "gradient of a chain of 3,000 ops, from building to the first result",
        "chain_gradient",
        3_000,
        "ms",
        (OURS, "jax", "PyTensor", "torch", "TensorFlow 1"),
        (Wanted("jax", 8),),
        "first",
        tolerance=1e-3,
    ),
)


def _matmul(dtype: str, batch: int, rows: int, inner: int, columns: int, transposed: str) -> Any:
    case: MatmulCase = (dtype, batch, rows, inner, columns, transposed)
    sizes = f"{rows}x{inner} @ {inner}x{columns}"
    notes = [f"batch of {batch}"] if batch else []
    notes += [f"{transposed} transposed"] if transposed else []
    title = ", ".join([dtype, sizes, *notes])
    return Workload(
        f"matmul {title}",
        title,
        "matmul",
        case,
        "us",
        (OURS, "NumPy", "NumPy, AVX-512 BLAS", "jax", "torch"),
        (Wanted(BEST, 1.0),),
        tolerance=1e-4 if dtype == "float32" else 1e-10,
    )


RIVALS = (OURS, "NumPy", "jax", "torch")


def _vocabulary(key: str, title: str, size: Any, unit: str, tolerance: float = 1e-4) -> Workload:
    """An op of the vocabulary, which is to be at least as fast as all others' at it."""
    wanted = (Wanted(BEST, 1.0),)
    return Workload(key, title, key, size, unit, RIVALS, wanted, tolerance=tolerance)


VOCABULARY = (
    _vocabulary("sort", "sort, 1e6 float32", 1_000_000, "us"),
    _vocabulary("cumulative_sum", "cumulative_sum, 1e6 float32", 1_000_000, "us", 1e-3),
    _vocabulary("einsum", "einsum `ij,jk,kl->il`, 1000, 1000, 1000, 8", 1_000, "us"),
    _vocabulary(
        "cholesky_gradient", "sum of logarithms of 1,000 choleskys 8x8, gradient", 1_000, "us"
    ),
    _vocabulary("gather", "gather of 1e6 rows of 8 float32", 1_000_000, "us"),
    _vocabulary("segment_sum", "segment_sum of 1e6 rows of 8 float32", 1_000_000, "us", 1e-3),
    # Streams differ between libraries: mean and standard deviation are what is compared.
    _vocabulary("uniform", "uniform random, 1e7 float32", 10_000_000, "ms", 0.01),
    _vocabulary("normal", "normal random, 1e7 float32", 10_000_000, "ms", 0.01),
    _vocabulary("integer_chain", "chain of 6 integer operations, 1e6 int32", 1_000_000, "us"),
    _vocabulary("boolean_chain", "chain of 6 comparisons and logic, 1e6", 1_000_000, "us"),
)

SQUARES = (4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)
MATMULS = tuple(
    [_matmul(dtype, 0, n, n, n, "") for dtype in ("float32", "float64") for n in SQUARES]
    + [
        _matmul("float32", 0, 1, 1024, 1024, ""),
        _matmul("float32", 0, 128, 784, 256, ""),
        _matmul("float32", 0, 128, 256, 10, ""),
        _matmul("float32", 0, 4096, 16, 4096, ""),
        _matmul("float32", 0, 16, 4096, 16, ""),
        _matmul("float32", 0, 512, 512, 512, "a"),
        _matmul("float32", 0, 512, 512, 512, "b"),
        _matmul("float32", 256, 16, 16, 16, ""),
        _matmul("float32", 64, 64, 64, 64, ""),
        _matmul("float64", 0, 512, 512, 512, "a"),
        _matmul("float64", 64, 64, 64, 64, ""),
    ]
)

TABLE: dict[str, Workload] = {
    workload.key: workload for workload in (*CALLS, *FIRSTS, *VOCABULARY, *MATMULS)
}


@dataclass(frozen=True)
class Growth:
    """One workload at growing sizes: a picture of where time goes."""

    key: str
    title: str
    axis: str
    method: str
    sizes: tuple[int, ...]
    contenders: tuple[str, ...]
    kind: Kind = "call"
    tolerance: float = 1e-3


GROWTHS = (
    Growth(
        "elements",
        "elementwise function and gradient",
        "elements",
        "elementwise_gradient",
        (1, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000),
        (OURS, "NumPy", "jax", "torch"),
    ),
    Growth(
        "iterations",
        "scalar while loop",
        "iterations",
        "scalar_while",
        (1, 100, 1_000, 10_000, 100_000, 1_000_000),
        (OURS, "NumPy", "jax", "PyTensor"),
        tolerance=0.03,
    ),
    Growth(
        "batch",
        "MLP step 784-256-10",
        "batch",
        "multilayer_step",
        (1, 8, 32, 128, 512, 2048),
        (OURS, "NumPy", "jax", "torch"),
    ),
    Growth(
        "nodes",
        "gradient of a chain, from building to the first result",
        "operations",
        "chain_gradient",
        (10, 100, 1_000, 3_000, 10_000),
        (OURS, "jax", "torch"),
        "first",
    ),
)
