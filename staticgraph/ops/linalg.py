"""Linear algebra: the namespace ``sg.linalg``.

What stands where: products in linalg_products.py and contraction.py, systems and their factors in
linalg_factor.py and linalg_lu.py, determinants in linalg_determinant.py and their derivatives in
linalg_cofactors.py, eigenvalues and singular values in linalg_spectral.py and, of matrices that are
not symmetric, in linalg_eig.py, orthogonal factors in linalg_qr.py, what singular values tell in
linalg_rank.py,
norms in linalg_norms.py, diagonals, powers and products of several operands in linalg_parts.py,
systems of tensors and matrices made of parts in linalg_tensors.py.
"""

from __future__ import annotations

from staticgraph.ops.contraction import tensordot
from staticgraph.ops.linalg_determinant import det, slogdet
from staticgraph.ops.linalg_eig import eig, eigvals
from staticgraph.ops.linalg_factor import cholesky, inv, solve, solve_triangular
from staticgraph.ops.linalg_lu import cho_solve, lu
from staticgraph.ops.linalg_norms import matrix_norm, norm, vector_norm
from staticgraph.ops.linalg_parts import (
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
from staticgraph.ops.linalg_products import dot, matmul, outer, vecdot
from staticgraph.ops.linalg_qr import qr
from staticgraph.ops.linalg_rank import cond, lstsq, matrix_rank, pinv
from staticgraph.ops.linalg_spectral import eigh, eigvalsh, svd, svdvals
from staticgraph.ops.linalg_tensors import block_diag, tensorinv, tensorsolve, vander
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
