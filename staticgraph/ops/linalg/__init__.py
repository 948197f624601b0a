"""Linear algebra: the namespace ``sg.linalg``.

What stands where: products in products.py and contraction.py, systems and their factors in
factor.py and lu.py, determinants in determinant.py and their derivatives in cofactors.py,
eigenvalues and singular values in spectral.py and, of matrices that are not symmetric, in eig.py,
orthogonal factors in qr.py, what singular values tell in rank.py, norms in norms.py, diagonals,
powers and products of several operands in parts.py, systems of tensors and matrices made of parts
in tensors.py.
"""

from __future__ import annotations

from staticgraph.ops.contraction import tensordot
from staticgraph.ops.linalg.determinant import det, slogdet
from staticgraph.ops.linalg.eig import eig, eigvals
from staticgraph.ops.linalg.factor import cholesky, inv, solve, solve_triangular
from staticgraph.ops.linalg.lu import cho_solve, lu
from staticgraph.ops.linalg.norms import matrix_norm, norm, vector_norm
from staticgraph.ops.linalg.parts import (
    cross,
    diag,
    diagonal,
    expm,
    kron,
    matrix_diag,
    matrix_power,
    multi_dot,
    trace,
)
from staticgraph.ops.linalg.products import dot, matmul, outer, vecdot
from staticgraph.ops.linalg.qr import qr
from staticgraph.ops.linalg.rank import cond, lstsq, matrix_rank, pinv
from staticgraph.ops.linalg.spectral import eigh, eigvalsh, svd, svdvals
from staticgraph.ops.linalg.tensors import block_diag, tensorinv, tensorsolve, vander
from staticgraph.ops.shaping import matrix_transpose

__all__ = [
    "block_diag",
    "cho_solve",
    "cholesky",
    "cond",
    "cross",
    "det",
    "diag",
    "diagonal",
    "dot",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "expm",
    "inv",
    "kron",
    "lstsq",
    "lu",
    "matmul",
    "matrix_diag",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "multi_dot",
    "norm",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "solve_triangular",
    "svd",
    "svdvals",
    "tensordot",
    "tensorinv",
    "tensorsolve",
    "trace",
    "vander",
    "vecdot",
    "vector_norm",
]


def __dir__() -> list[str]:
    """What the namespace offers, without what it is made of."""
    return __all__
