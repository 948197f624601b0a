"""Calls of the functions that are not elementwise, as text, and the arrays that calls name.

Those of extensions are in `extension_calls`, those of members of arrays in `member_calls`.

A line in brackets names functions, for which ``{0}`` stands in the lines below it: a call each, in
which the capitals and letters of `OPERANDS` are arrays. What stands behind ``=>`` is the same in
NumPy, where NumPy writes it another way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_random = np.random.default_rng(3)


def _floats(*shape: int) -> Array:
    return _random.normal(size=shape)


_square = _floats(2, 3, 3)

OPERANDS: dict[str, Array] = {
    "F": _floats(2, 3, 4),
    "M": _floats(3, 4),
    "N": _floats(4, 2),
    "f": _floats(3, 4).astype("float32"),
    "v": np.array([3.0, -1.0, 2.5, 0.0, 7.0]),
    "w": np.array([1.0, 2.0, 3.0, 4.0, 5.0]),
    "t": np.array([-2.0, 0.0, 1.5, 4.0]),
    "E": np.ones((0, 3)),
    "O": np.ones((1, 3, 1)),
    "S": np.array(2.5),
    "I": _random.integers(-9, 9, (3, 4)),
    "J": _random.integers(-9, 9, (3, 4)).astype("int8"),
    "U": _random.integers(0, 9, (3, 4)).astype("uint8"),
    "D": np.array([3, 1, 2, 3, 1, 3]),
    "B": _random.integers(0, 2, (3, 4)).astype(bool),
    "C": _floats(3, 4) + 1j * _floats(3, 4),
    "c": (_floats(3, 4) + 1j * _floats(3, 4)).astype("complex64"),
    "i": np.array([2, 0, 1, 1]),
    "P": np.array([[3, 0, 1, 1], [0, 0, 2, 3], [1, 2, 3, 0]]),
    "A": _square,
    "H": _square + np.swapaxes(_square, -1, -2),
    "X": _square @ np.swapaxes(_square, -1, -2) + np.eye(3),
    "R": _floats(2, 3),
    "q": _square.astype("float32"),
    "Z": _square + 1j * _floats(2, 3, 3),
}

CALLS = """
[arange]
arange(5)
arange(2, 7)
arange(2, stop=8, step=3)
arange(5, dtype=float32)
arange(4, 0, -1, dtype=int8)
arange(0.0, 1.0, 0.25, dtype=float64)
arange(3, 3)
[asarray]
asarray([1, 2])
asarray([[True, False]])
asarray(M)
asarray(M, copy=True)
asarray([1, 2], dtype=float64)
asarray(3)
asarray([[]], dtype=float64)
asarray([1j], dtype=complex128)
asarray(M, dtype=float32)
asarray(1.5, dtype=float64)
[empty]
empty((2, 3), dtype=float64).shape
empty(3, dtype=int8).dtype
empty((), dtype=bool).shape
[empty_like]
empty_like(f).dtype
empty_like(F).shape
empty_like(F, dtype=int8).dtype
[eye]
eye(3, dtype=float64)
eye(2, 4, dtype=int32)
eye(3, k=1, dtype=float64)
eye(3, 2, k=-1, dtype=float64)
eye(0, dtype=float64)
[from_dlpack, linalg.matrix_transpose]
{0}(F)
[full]
full((2, 3), 7)
full((), True)
full((2,), 1.5, dtype=float64)
full(3, 2, dtype=uint8)
[full_like]
full_like(F, 2.0)
full_like(I, 3)
full_like(I, 3, dtype=float32)
[linspace]
linspace(0, 1, 5, dtype=float64)
linspace(0.0, 1.0, num=4, endpoint=False, dtype=float64)
linspace(3, -3, 7, dtype=float32)
linspace(0, 1, 1, dtype=float64)
linspace(0, 1, 0, dtype=float64)
[meshgrid]
meshgrid(v, t)
meshgrid(i, D, indexing='ij')
meshgrid(v)
meshgrid(v, w, t)
[ones]
ones((2, 3), dtype=float64)
ones(3, dtype=bool)
ones((), dtype=int8)
ones((0,), dtype=float32)
[ones_like]
ones_like(F)
ones_like(I)
ones_like(F, dtype=int16)
[tril, triu]
{0}(M)
{0}(F, k=1)
{0}(I, k=-1)
{0}(B)
[zeros]
zeros((2, 3), dtype=float64)
zeros(3, dtype=bool)
zeros((), dtype=uint8)
zeros((0, 2), dtype=float64)
[zeros_like]
zeros_like(F)
zeros_like(I)
zeros_like(F, dtype=complex64)
[astype]
astype(F, float32)
astype(I, bool)
astype(B, int8)
astype(F, int64)
astype(U, complex64)
astype(F, float64, copy=False)
[can_cast]
can_cast(int8, int16)
can_cast(int16, int8)
can_cast(float64, float32)
can_cast(f, float64)
can_cast(bool, float32)
can_cast(I, uint8)
[finfo]
finfo(float64).eps => 2.0**-52
finfo(float32).max => 2.0**128 - 2.0**104
finfo(float32).min => 2.0**104 - 2.0**128
finfo(float32).bits => 32
finfo(float64).smallest_normal => 2.0**-1022
finfo(complex64).bits => 32
finfo(f).dtype => float32
[iinfo]
iinfo(int8).bits
iinfo(int16).max
iinfo(int32).min
iinfo(uint64).max
iinfo(I).dtype => int64
[isdtype]
isdtype(float32, 'real floating')
isdtype(int8, ('bool', 'integral'))
isdtype(bool, 'numeric')
isdtype(int8, int8)
isdtype(uint8, 'signed integer')
isdtype(complex64, ('numeric', int8))
[result_type]
result_type(int8, uint8)
result_type(F, f)
result_type(f, int8, 1) => float32
result_type(float32, complex128)
result_type(uint8, int32, I)
result_type(f, 1.0) => float32
[take]
take(M, i, axis=0)
take(M, i, axis=-1)
take(v, i)
take(I, i[:0], axis=1)
take(F, i, axis=2)
[take_along_axis]
take_along_axis(M, P) => take_along_axis(M, P, axis=-1)
take_along_axis(M, P[:1, :] % 3, axis=0)
take_along_axis(I, P, axis=1)
[matmul]
matmul(M, N)
matmul(F, N)
matmul(v, w)
matmul(M, N[:, 0])
matmul(J, J.T)
matmul(C, N + 0j)
matmul(f, f.T)
matmul(E.T, E)
[matrix_transpose]
matrix_transpose(M)
matrix_transpose(F)
matrix_transpose(B)
[tensordot]
tensordot(M, N, axes=1)
tensordot(F, M)
tensordot(v, w, axes=0)
tensordot(F, F, axes=((0, 1), (0, 1)))
tensordot(J, J, axes=((-1,), (-1,)))
tensordot(F, M, axes=((2, 1), (1, 0)))
tensordot(C, C, axes=([0], [0]))
[vecdot]
vecdot(v, w)
vecdot(M, M)
vecdot(M, M, axis=-2) => vecdot(M.T, M.T)
vecdot(F, M)
vecdot(C, C)
vecdot(J, J)
[broadcast_arrays]
list(broadcast_arrays(M, O))
list(broadcast_arrays(S, v))
list(broadcast_arrays(v))
[broadcast_to]
broadcast_to(v, (2, 5))
broadcast_to(O, (2, 3, 4))
broadcast_to(S, ())
broadcast_to(E, (2, 0, 3))
[concat]
concat([M, M])
concat((M, M), axis=1)
concat([M, v], axis=None)
concat([J, I])
concat([F, F], axis=-1)
concat([f, M])
concat([E, E])
[expand_dims]
expand_dims(M) => numpy.expand_dims(M, 0)
expand_dims(M, axis=0)
expand_dims(M, axis=-1)
expand_dims(M, axis=1)
expand_dims(S, axis=0)
[flip]
flip(M)
flip(M, axis=0)
flip(F, axis=(0, -1))
flip(B, axis=1)
flip(E)
[moveaxis]
moveaxis(F, 0, 2)
moveaxis(F, (0, 1), (-1, 0))
moveaxis(M, -1, 0)
[permute_dims]
permute_dims(F, (2, 0, 1))
permute_dims(M, axes=(1, 0))
permute_dims(S, ())
[repeat]
repeat(M, 2)
repeat(M, 3, axis=1)
repeat(v, 0)
repeat(M, i[:3], axis=0)
repeat(v, 1)
[reshape]
reshape(F, (6, 4))
reshape(F, (2, -1))
reshape(M, (12,))
reshape(S, (1, 1))
reshape(M, shape=(4, 3), copy=True)
reshape(E, (3, 0))
[roll]
roll(v, 2)
roll(M, -1, axis=1)
roll(F, (1, 2), axis=(0, 2))
roll(M, 5)
roll(E, 1, axis=0)
roll(M, 1, axis=(0, 1))
[squeeze]
squeeze(O, 0)
squeeze(O, (0, -1))
squeeze(O, axis=-1)
[stack]
stack([M, M])
stack((M, M), axis=1)
stack([v, w], axis=-1)
stack([J, I])
stack([S, S])
[tile]
tile(M, (2, 1))
tile(v, (2, 2))
tile(F, (2,))
tile(M, (0, 1))
[unstack]
list(unstack(M))
list(unstack(F, axis=-1))
list(unstack(v))
[argmax, argmin]
{0}(F)
{0}(F, axis=1)
{0}(F, axis=-1, keepdims=True)
{0}(I)
{0}(U, axis=0)
[count_nonzero]
count_nonzero(F)
count_nonzero(F, axis=1)
count_nonzero(F, axis=(0, 2))
count_nonzero(F, axis=-1, keepdims=True)
count_nonzero(B)
count_nonzero(I, axis=0)
count_nonzero(C)
[nonzero]
nonzero(I)
nonzero(B)
nonzero(v)
nonzero(E)
[searchsorted]
searchsorted(sort(v), w)
searchsorted(w, v, side='right')
searchsorted(v, w, sorter=argsort(v))
searchsorted(sort(D), D)
[where]
where(B, M, f)
where(B, I, J)
where(B[0, :], M, S)
where(B, M, 2.0)
where(B, 1, I)
[unique_all]
list(unique_all(D))
list(unique_all(I))
list(unique_all(v))
[unique_counts, unique_inverse]
list({0}(D))
list({0}(I))
[unique_values]
unique_values(D) => numpy.unique(D)
unique_values(I) => numpy.unique(I)
unique_values(v) => numpy.unique(v)
unique_values(B) => numpy.unique(B)
[argsort]
argsort(v)
argsort(M, axis=0)
argsort(D, stable=True)
argsort(v, descending=True) => argsort(-v)
argsort(D, descending=True) => argsort(-D, stable=True)
argsort(I, stable=False, axis=1)[:0]
[sort]
sort(v)
sort(M, axis=0)
sort(v, descending=True) => sort(v)[::-1]
sort(J)
sort(U, axis=0)
sort(F, stable=False)
[cumulative_prod, cumulative_sum]
{0}(v)
{0}(M, axis=0)
{0}(M, axis=-1, include_initial=True)
{0}(J, axis=1)
{0}(U, axis=0, dtype=float32)
{0}(C, axis=0)
[max, min]
{0}(F)
{0}(F, axis=1)
{0}(F, axis=(0, 2))
{0}(F, axis=-1, keepdims=True)
{0}(I)
{0}(U, axis=0)
{0}(S)
{0}(E, axis=1)
[mean]
mean(F)
mean(F, axis=1)
mean(F, axis=(0, 2))
mean(F, axis=-1, keepdims=True)
mean(f)
mean(S)
mean(C, axis=0)
mean(F, axis=())
[prod]
prod(F)
prod(F, axis=1)
prod(F, axis=(0, 2))
prod(F, axis=-1, keepdims=True)
prod(J)
prod(U, axis=0)
prod(I, dtype=float64)
prod(C)
prod(E, axis=0)
prod(J, dtype=int8)
[sum]
sum(F)
sum(F, axis=1)
sum(F, axis=(0, 2))
sum(F, axis=-1, keepdims=True)
sum(J)
sum(U, axis=0)
sum(I, dtype=float64)
sum(C)
sum(E, axis=0)
sum(J, dtype=int8)
sum(F, axis=())
[std, var]
{0}(F)
{0}(F, axis=1)
{0}(F, axis=(0, 2))
{0}(F, axis=-1, keepdims=True)
{0}(f)
{0}(M, correction=1)
{0}(M, axis=0, correction=0.5)
[all, any]
{0}(F)
{0}(F, axis=1)
{0}(F, axis=(0, 2))
{0}(F, axis=-1, keepdims=True)
{0}(B)
{0}(I, axis=0)
{0}(E)
{0}(C)
[diff]
diff(v)
diff(M, axis=0)
diff(M, n=2)
diff(I, axis=1)
diff(v, prepend=w[:1], append=w[1:3])
diff(v, n=0)
"""


def read(text: str) -> Iterator[tuple[str, str]]:
    """The function and the text of each call."""
    names: list[str] = []
    for line in text.strip().split("\n"):
        if line.startswith("["):
            names = line.strip("[]").split(", ")
        else:
            for name in names:
                yield name, line.replace("{0}", name)
