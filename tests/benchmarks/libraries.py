"""Which libraries are compared, and in which variant: one record each.

A contender runs in a process of its own (`worker`), since the thread pools of several libraries
in one process spoil each other's figures, and since some need an environment of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

OURS = "staticgraph"


@dataclass(frozen=True)
class Contender:
    """A library in one variant.

    name          how tables call it
    module        its module in `peers`
    kind          its class there
    distribution  the package that pip installs
    statement     what a user imports
    family        the name under which `--python` gives it an interpreter of its own
    environment   what its process finds in its environment
    needs         a feature that the processor must have, as /proc/cpuinfo names it
    """

    name: str
    module: str
    kind: str
    distribution: str
    statement: str
    family: str
    environment: Mapping[str, str] = field(default_factory=dict)
    needs: str | None = None


def _contender(name: str, module: str, kind: str, distribution: str, statement: str) -> Contender:
    return Contender(name, f"{module}_peer", kind, distribution, statement, module)


CONTENDERS: dict[str, Contender] = {
    contender.name: contender
    for contender in (
        _contender(OURS, "staticgraph", "Staticgraph", "staticgraph", "staticgraph"),
        _contender(f"{OURS} contract", "staticgraph", "Contracting", "staticgraph", "staticgraph"),
        _contender(f"{OURS} reference", "staticgraph", "Reference", "staticgraph", "staticgraph"),
        _contender("NumPy", "numpy", "NumPy", "numpy", "numpy"),
        # OpenBLAS takes slower kernels than the processor can run where it does not know it.
        Contender(
            "NumPy, AVX-512 BLAS",
            "numpy_peer",
            "NumPy",
            "numpy",
            "numpy",
            "numpy",
            {"OPENBLAS_CORETYPE": "SkylakeX"},
            "avx512f",
        ),
        _contender("jax", "jax", "Jax", "jax", "jax"),
        _contender("jax from NumPy", "jax", "FromNumPy", "jax", "jax"),
        Contender(
            "jax, disk cache",
            "jax_peer",
            "Jax",
            "jax",
            "jax",
            "jax",
            {
                "JAX_COMPILATION_CACHE_DIR": "{caches}/jax",
                "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
                "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
            },
        ),
        _contender("PyTensor", "pytensor", "PyTensor", "pytensor", "pytensor, pytensor.tensor"),
        _contender(
            "PyTensor trusting", "pytensor", "Trusting", "pytensor", "pytensor, pytensor.tensor"
        ),
        _contender("torch", "torch", "Torch", "torch", "torch"),
        _contender("torch.compile", "torch", "Compiled", "torch", "torch"),
        _contender(
            "TensorFlow 1", "tensorflow", "TensorFlow", "tensorflow", "tensorflow.compat.v1"
        ),
    )
}

# Where each library keeps what it compiled: an empty folder makes the first run a cold one.
CACHES: dict[str, str] = {
    "STATICGRAPH_CACHE": "{caches}/staticgraph",
    "XDG_CACHE_HOME": "{caches}/xdg",
    "NUMBA_CACHE_DIR": "{caches}/numba",
    "PYTENSOR_FLAGS": "base_compiledir={caches}/pytensor",
    "TORCHINDUCTOR_CACHE_DIR": "{caches}/inductor",
    "TRITON_CACHE_DIR": "{caches}/triton",
}

# What a developer has switched on is no part of a comparison: neither a check nor doing without
# the bytecode that pip makes when it installs.
SWITCHES: dict[str, str] = {"STATICGRAPH_CHECK": "0", "PYTHONDONTWRITEBYTECODE": ""}

# Another name under which a distribution may be installed.
OTHER_NAMES: dict[str, tuple[str, ...]] = {"tensorflow": ("tensorflow_cpu", "tensorflow-intel")}


def environment(contender: Contender, caches: str) -> dict[str, str]:
    """What is added to the environment of a contender's process."""
    added = {**CACHES, **SWITCHES, **contender.environment}
    return {name: value.format(caches=caches) for name, value in added.items()}
