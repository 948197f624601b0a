"""Code for narrower processors: made for them, run here, the same as the reference.

A processor runs the code of those that can do less. What cannot run here is made all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.backends.native import jit, targets
from staticgraph.backends.native.compiler import Compilation
from staticgraph.backends.native.executable import NativeFunction
from staticgraph.backends.native.program import Options
from staticgraph.backends.native.targets import Target
from tests.backends.native.test_random_graphs import check_program, check_state

Array = np.ndarray[Any, Any]
HOST = targets.host()


def _can_run(target: Target) -> bool:
    return (
        target.architecture == HOST.architecture
        and target.vector_bytes <= HOST.vector_bytes
        and (HOST.fused or not target.fused)
    )


NARROW = {name: targets.named(name) for name in ("x86-64", "haswell", "skylake-avx512")}
# What no processor is like, but the writers of code may not rely on.
NARROW["haswell, no fused multiply-add"] = targets.target_of(
    NARROW["haswell"].triple, "haswell", {"avx": True, "avx2": True, "fma": False}
)
NARROW["wide vectors in few registers"] = replace(HOST, registers=16)
NARROW["half as wide"] = replace(HOST, vector_bytes=max(HOST.vector_bytes // 2, 16))
RUNNABLE = {name: target for name, target in NARROW.items() if _can_run(target)}


@pytest.fixture(params=list(RUNNABLE))
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    """Code is made for one of these processors."""
    chosen = RUNNABLE[request.param]
    with targets.assumed(chosen):
        yield chosen


Make = Callable[[sg.Tensor, sg.Tensor], Any]


def _step(x: sg.Tensor, y: sg.Tensor) -> Any:
    w = sg.Variable(np.linspace(-0.5, 0.5, 67 * 35).reshape(67, 35).astype("float32"))
    logits = sg.tanh(x @ w)
    return [sg.sum(logits), sg.train.SGD(0.1).minimize(sg.mean(sg.softmax(logits) ** 2), [w])]


def _recurrent(x: sg.Tensor, y: sg.Tensor) -> Any:
    last, rows = sg.scan(lambda h, r: (sg.tanh(0.3 * h + r), sg.sum(h)), x[0], y, reverse=True)
    return [rows, *sg.gradients(sg.sum(last), [x, y])]


def _complex(x: sg.Tensor, y: sg.Tensor) -> Any:
    z = sg.complex(x, y)
    slopes = sg.gradients(sg.sum(sg.abs(sg.tanh(z * z[:1]) / (2.0 + sg.conj(z)))), [x, y])
    return [
        z * (1 - 2j) + z / (3.0 + z * z), sg.exp(z), sg.log(z), sg.sqrt(z), sg.asin(z),
        sg.sum(z), sg.sum(z, 0), z[::-1, ::2] * 1j, z @ sg.permute_dims(z), sg.where(x > y, z, -z),
        *slopes,
    ]  # fmt: skip


PROGRAMS: dict[str, Make] = {
    "elementwise": lambda x, y: [sg.tanh(2.0 * x + 1.0) * sg.exp(-y * y), x / (1.0 + y * y)],
    "functions": lambda x, y: [
        sg.log1p(sg.abs(x)), sg.sin(x), sg.cos(50.0 * x), sg.erf(x), sg.sigmoid(x), sg.tan(x),
        sg.softplus(x), sg.expm1(x), sg.rsqrt(1.0 + x * x), sg.abs(x) ** 1.3, sg.log(1.5 + y * y),
    ],
    "roundings": lambda x, y: [
        sg.floor(3.0 * x), sg.round(3.0 * x), sg.ceil(x), sg.trunc(2.0 * x), sg.sign(x),
    ],
    "integers": lambda x, y: [
        sg.cast(9.0 * x, "int32") // 3, sg.remainder(sg.cast(9.0 * x, "int64"), 5),
        sg.cast(sg.cast(9.0 * x, "int8"), "uint8") * 7, sg.cast(x, "int16") + 3,
        sg.cast(sg.abs(9.0 * x), "uint64") * 12345, sg.maximum(sg.cast(9.0 * x, "int64"), 2),
    ],
    "flags": lambda x, y: [(x > y) & (x < 1.0), sg.any(x > 2.0, axis=0), sg.all(x < 3.0, axis=1)],
    "reductions": lambda x, y: [
        sg.sum(x), sg.sum(x, axis=0), sg.sum(x, axis=1), sg.max(x, axis=0), sg.min(x),
        sg.argmax(x, axis=1), sg.argmin(x, axis=0), sg.mean(x), sg.var(x, axis=1),
    ],
    "rows": lambda x, y: [sg.softmax(x), sg.logsumexp(y, axis=1), sg.log_softmax(x + y)],
    "products": lambda x, y: [
        x @ sg.permute_dims(y), sg.permute_dims(x) @ y, x @ y[0], sg.tanh(x @ sg.permute_dims(x)),
        sg.reshape(x[:60], (4, 15, 67)) @ sg.reshape(y[:60], (4, 67, 15)),
    ],
    "moves": lambda x, y: [
        sg.permute_dims(x) + 1.0, x[::-1, ::2] * 2.0, sg.concat([x, y], 1), sg.pad(x, 2),
        sg.cumsum(x, axis=1), sg.take(x, [3, -1, 0], axis=1), sg.sort(x, axis=1),
    ],
    "random numbers": lambda x, y: [
        sg.random.uniform((1001,)), sg.random.normal((1001,)), sg.random.permutation(x),
        sg.random.normal((1001,), dtype="float64"), sg.random.uniform((3,), y[0, 0]),
    ],
    "searched numbers": lambda x, y: [
        sg.random.integers((1001,), -5, 3 * 2**61), sg.random.poisson(x * x * 10.0),
        sg.random.binomial(50, sg.sigmoid(x)), sg.random.gamma(sg.abs(x) + 0.1, dtype="float64"),
        sg.gradients(sg.sum(sg.random.loggamma(sg.exp(y[:, :5]), dtype="float64")), y)[0],
    ],
    "complex numbers": _complex,
    "spectra": lambda x, y: [
        sg.fft.fft(x[0]), sg.fft.irfft(sg.fft.rfft(x, axis=0) * 2.0, n=61, axis=0),
        sg.fft.ifftn(sg.complex(x[:60, :40], y[:60, :40])), sg.fft.fft(y[:45], axis=0),
        sg.fft.irfft(sg.fft.rfft(sg.reshape(x, (-1,)), n=1 << 17)),
        sg.fft.fft(y[0], n=1 << 16), sg.fft.rfft(y[:, :60]),
    ],
    "a step": _step,
    "a recurrence": _recurrent,
}  # fmt: skip


def operands(dtype: str) -> list[Array]:
    return [
        np.random.default_rng(seed).standard_normal((61, 67)).astype(dtype) for seed in range(2)
    ]


@pytest.mark.parametrize("name", list(PROGRAMS))
def test_narrower_processors(name: str, target: Target) -> None:
    for dtype in ("float32", "float64"):
        if name == "a step" and dtype == "float64":
            continue
        x, y = (sg.placeholder(dtype, (None, 67)) for _ in range(2))
        fetches = PROGRAMS[name](x, y)
        feed = dict(zip((x, y), operands(dtype), strict=True))
        have, want = [
            sg.Session(backend=backend, seed=5).run(fetches, feed)
            for backend in ("native", "reference")
        ]
        for ours, theirs in zip(have, want, strict=True):
            if theirs is not None:
                wide = np.asarray(theirs).real.dtype == np.float64
                tolerance = 1e-12 if wide else 2e-5
                np.testing.assert_allclose(ours, theirs, tolerance, 5 * tolerance, strict=True)


@pytest.mark.parametrize("seed", range(3))
def test_random_programs(seed: int, target: Target) -> None:
    check_program(Random(seed), smooth=seed % 2 == 1)
    check_state(Random(seed), smooth=False)


def test_the_code_is_no_wider_than_the_processor(target: Target) -> None:
    x, y = (sg.placeholder("float32", (None, 67)) for _ in range(2))
    function = sg.optimize([*PROGRAMS["elementwise"](x, y), *PROGRAMS["products"](x, y)])
    made = NativeFunction(function)
    assert made.compilation.program.options.vector_bytes == target.vector_bytes
    assembly = jit.assembly(made.text)
    # Where the processor has wider ones all the same, LLVM uses them.
    narrow = target.cpu != HOST.cpu
    assert "%zmm" not in assembly or target.vector_bytes == 64 or not narrow
    assert "%ymm" not in assembly or target.vector_bytes >= 32 or not narrow
    if not target.fused:
        assert "vfmadd" not in assembly and "fmaf" not in assembly


@pytest.mark.parametrize("name", list(PROGRAMS))
@pytest.mark.parametrize("processor", targets.names())
def test_code_for_processors_that_are_not_at_hand(name: str, processor: str) -> None:
    chosen = targets.named(processor)
    x, y = (sg.placeholder("float32", (None, 67)) for _ in range(2))
    function = sg.optimize(PROGRAMS[name](x, y))
    options = Options(
        vector_bytes=chosen.vector_bytes, registers=chosen.registers, fused=chosen.fused
    )
    program = Compilation(function, options).program
    for text, level in program.module.parts():
        assert jit.emit(text, level, chosen).code
