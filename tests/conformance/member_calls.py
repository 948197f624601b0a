"""Calls of the members of arrays, as text; `other_calls` says how."""

from __future__ import annotations

CALLS = """
[__add__]
M + f
I + J
M + 2.0
2 + (M * M + 1)
U + 3
[__sub__]
M - f
I - J
M - 2.0
2 - (M * M + 1)
U - 3
[__mul__]
M * f
I * J
M * 2.0
2 * (M * M + 1)
U * 3
[__eq__]
M == f
I == J
M == 2.0
2 == (M * M + 1)
U == 3
[__ne__]
M != f
I != J
M != 2.0
2 != (M * M + 1)
U != 3
[__lt__]
M < f
I < J
M < 2.0
2 < (M * M + 1)
U < 3
[__le__]
M <= f
I <= J
M <= 2.0
2 <= (M * M + 1)
U <= 3
[__gt__]
M > f
I > J
M > 2.0
2 > (M * M + 1)
U > 3
[__ge__]
M >= f
I >= J
M >= 2.0
2 >= (M * M + 1)
U >= 3
[__truediv__]
M / f
M / 2.0
2 / M
C / C
[__floordiv__]
M // f
I // 3
7 // (U + 1)
U // (U + 1)
[__mod__]
M % f
I % 3
7 % (U + 1)
[__pow__]
M ** 2
(M * M) ** 0.5
I ** 2
2.0 ** M
U ** U
[__matmul__]
M @ N
F @ N
v @ w
J @ J.T
[__and__]
I & J
I & 3
U & U
5 & U
B & B
B & True
[__or__]
I | J
I | 3
U | U
5 | U
B | B
B | True
[__xor__]
I ^ J
I ^ 3
U ^ U
5 ^ U
B ^ B
B ^ True
[__lshift__]
I << (U % 4)
U << 1
1 << (U % 4)
[__rshift__]
I >> (U % 4)
U >> 1
64 >> (U % 4)
[__abs__]
abs(M)
abs(J)
abs(C)
[__invert__]
~I
~B
~U
[__neg__]
-M
-J
-C
[__pos__]
+M
+J
[__array_namespace__]
M.__array_namespace__() is M.__array_namespace__()
[__bool__]
bool_of(B[0, 0])
bool_of(S)
bool_of(I[0, 0])
[__int__]
int_of(I[0, 0])
int_of(S)
[__float__]
float_of(S)
float_of(I[1, 1])
[__complex__]
complex_of(C[0, 0])
complex_of(S)
[__index__]
index_of(I[0, 0])
[__dlpack__]
numpy.from_dlpack(M)
[__dlpack_device__]
M.__dlpack_device__()[1]
[__getitem__]
M[0, 1]
M[1, ...]
M[:, 1:3]
M[::-1, ::2]
F[..., 0]
M[None, :, None, 0]
v[i]
M[i[:2], i[:2]]
M[-1, :]
M[5:, :]
F[1, i, :]
S[()]
[__getitem__ by a mask]
M[B]
F[:, B]
v[v > 0]
[__setitem__]
changed(M, (0, 1), 5.0)
changed(M, (slice(None), 2), N[0, 0])
changed(v, slice(1, 3), 0.0)
changed(v, slice(None, None, -2), t[:3])
changed(I, (), 3)
changed(S, (), 4.0)
changed(B, I > 0, True)
changed(M, M > 0, 0.0)
changed(F, (Ellipsis, slice(1, 3)), M[:, :2])
changed(C, 1, M[0, :])
changed(E, slice(None), 1.0)
[to_device]
M.to_device(M.device)
[T]
M.T
C.T
[mT]
F.mT
M.mT
[dtype]
M.dtype
B.dtype
[device]
M.device == M.device
[ndim]
F.ndim
S.ndim
[shape]
F.shape
S.shape
[size]
F.size
E.size
"""
