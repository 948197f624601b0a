"""The error function.

Near 0 it is x times a polynomial of the square. Beyond, it is 1 minus an exponential whose exponent
is a polynomial, so that errors of either come out smaller.
"""

from __future__ import annotations

from typing import NamedTuple

from staticgraph.backends.native.math_exponential import exp_of_moderate
from staticgraph.backends.native.math_values import Value, at_most, fma, polynomial, where
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType


class _Error(NamedTuple):
    """What depends on the dtype.

    limit   where the second form takes over
    flat    where the result is 1 from here up
    near    coefficients of ``erf(x) / x - 1`` in x**2; errors are below 1.7e-8 and 2.7e-17
    far     coefficients of ``log(1 - erf(x)) / x``; errors of the result: 7.8e-9, 1.2e-17
    """

    limit: float
    flat: float
    near: tuple[float, ...]
    far: tuple[float, ...]


_TABLE: dict[DType, _Error] = {
    dtypes.float32: _Error(
        limit=0.92, flat=4.0,
        near=(
            0.128379151810855158, -0.376125068505036307, 0.112819401826914911,
            -0.0267707242064688764, 0.00499874927506773131, -0.000601732235751043223,
        ),
        far=(
            -1.12865216296891753, -0.635135909869425857, -0.106263150935825955,
            0.023785352323422732, -0.00365376701856605526, 0.000325653546618300304,
            -0.0000115223865131137387,
        ),
    ),
    dtypes.float64: _Error(
        limit=1.0, flat=6.0,
        near=(
            0.128379167095512567, -0.376126389031835466, 0.112837916709452529,
            -0.0268661706432761717, 0.00522397760742314289, -0.000854832598968406395,
            0.000120552953201983522, -0.0000149247446591335475, 1.64475176423778531e-6,
            -1.62091757495890991e-7, 1.372297597471211e-8, -7.80118898741314774e-10,
        ),
        far=(
            -1.12837912251389019, -0.63662014622934873, -0.102771278326960745,
            0.0191261436599971762, 0.000209910423299358346, -0.00168980037977070095,
            0.000571847480315611367, 3.15476491573248788e-6, -0.0000968117633239372836,
            0.0000566736774859009648, -0.0000205913530135931125, 5.45632179040439408e-6,
            -1.09442666238012973e-6, 1.65856567229363777e-7, -1.8491097897979736e-8,
            1.43404348513119814e-9, -6.91566932880505296e-11, 1.56169409788500465e-12,
        ),
    ),
}  # fmt: skip


def erf(x: Value) -> Value:
    """The error function."""
    table = _TABLE[x.dtype]
    near = fma(polynomial(x * x, table.near), x, x)
    size = at_most(abs(x), table.flat)
    far = 1.0 - exp_of_moderate(size * polynomial(size, table.far))
    return where(size < table.limit, near, far.with_sign_of(x))
