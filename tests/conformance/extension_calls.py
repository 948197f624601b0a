"""Calls of the functions of the extensions linalg and fft, as text; `other_calls` says how."""

from __future__ import annotations

CALLS = """
[linalg.cholesky]
linalg.cholesky(X)
linalg.cholesky(X, upper=True)
linalg.cholesky(X[:, :0, :0])
[linalg.cross]
linalg.cross(A, H)
linalg.cross(A, H, axis=1) => numpy.cross(A, H, axis=1)
linalg.cross(I[:, :3], D[:3])
[linalg.det, linalg.inv]
{0}(A)
{0}(q)
{0}(Z)
[linalg.diagonal]
linalg.diagonal(F)
linalg.diagonal(M, offset=1)
linalg.diagonal(I, offset=-1)
linalg.diagonal(M, offset=9)
[linalg.eigh]
linalg.eigh(H)[0]
linalg.eigh(H).eigenvalues
linalg.eigh(Z + matrix_transpose(conj(Z))).eigenvalues
abs(linalg.eigh(H).eigenvectors)
[linalg.eigvalsh]
linalg.eigvalsh(H)
linalg.eigvalsh(q + matrix_transpose(q))
[linalg.matmul]
linalg.matmul(M, N)
[linalg.matrix_norm]
linalg.matrix_norm(A)
linalg.matrix_norm(A, ord=1)
linalg.matrix_norm(A, ord=-1)
linalg.matrix_norm(A, ord=inf)
linalg.matrix_norm(A, ord=2)
linalg.matrix_norm(A, ord=-2)
linalg.matrix_norm(A, ord='nuc')
linalg.matrix_norm(A, ord=-inf, keepdims=True)
linalg.matrix_norm(Z)
[linalg.matrix_power]
linalg.matrix_power(A, 0)
linalg.matrix_power(A, 1)
linalg.matrix_power(A, 3)
linalg.matrix_power(A, -2)
linalg.matrix_power(q, 2)
[linalg.matrix_rank]
linalg.matrix_rank(A)
linalg.matrix_rank(ones((3, 4), dtype=float64))
linalg.matrix_rank(M, rtol=10.0) => numpy.asarray(0)
[linalg.outer]
linalg.outer(v, w)
linalg.outer(i, D)
[linalg.pinv]
linalg.pinv(A)
linalg.pinv(R)
linalg.pinv(F)
[linalg.qr]
matmul(*linalg.qr(A)) => A
matmul(*linalg.qr(R, mode='complete')) => R
abs(linalg.qr(R).R)
linalg.qr(R.T, mode='complete').Q.shape
[linalg.slogdet]
list(linalg.slogdet(A))
linalg.slogdet(q).logabsdet
list(linalg.slogdet(Z))
[linalg.solve]
linalg.solve(A, H)
linalg.solve(A[0, :, :], D[:3] * 1.0)
linalg.solve(A, H[0, :, :])
linalg.solve(Z, Z)
[linalg.svd]
linalg.svd(A).S
linalg.svd(R, full_matrices=False).Vh.shape
linalg.svd(R).Vh.shape
abs(linalg.svd(R, full_matrices=False).U)
linalg.svd(Z).S
[linalg.svdvals]
linalg.svdvals(A)
linalg.svdvals(F)
[linalg.tensordot]
linalg.tensordot(F, M)
[linalg.trace]
linalg.trace(A)
linalg.trace(M, offset=1)
linalg.trace(J)
linalg.trace(J, dtype=float64)
linalg.trace(C)
[linalg.vecdot]
linalg.vecdot(v, w)
linalg.vecdot(C, C)
[linalg.vector_norm]
linalg.vector_norm(v)
linalg.vector_norm(M, axis=0)
linalg.vector_norm(M, axis=(0, 1))
linalg.vector_norm(M, axis=1, ord=1, keepdims=True)
linalg.vector_norm(v, ord=inf)
linalg.vector_norm(v, ord=-inf)
linalg.vector_norm(v, ord=0)
linalg.vector_norm(v, ord=3)
linalg.vector_norm(C)
linalg.vector_norm(F)
[fft.fft, fft.ifft, fft.irfft, fft.hfft]
{0}(C)
{0}(C, axis=0, norm='ortho')
{0}(C, n=7)
{0}(C, n=2, norm='forward')
{0}(c)
[fft.rfft, fft.ihfft]
{0}(M)
{0}(M, axis=0, norm='ortho')
{0}(M, n=7)
{0}(M, n=2, norm='forward')
{0}(f)
[fft.fftn, fft.ifftn, fft.irfftn]
{0}(C)
{0}(C, axes=(0,))
{0}(C, s=(2, 5), axes=(0, 1))
{0}(C, norm='ortho')
{0}(c)
[fft.rfftn]
fft.rfftn(M)
fft.rfftn(M, axes=(0,))
fft.rfftn(M, s=(2, 5), axes=(0, 1))
fft.rfftn(M, norm='ortho')
fft.rfftn(f)
[fft.fftfreq, fft.rfftfreq]
{0}(5, dtype=float64) => {0}(5)
{0}(6, d=0.5, dtype=float64) => {0}(6, d=0.5)
[fft.fftshift, fft.ifftshift]
{0}(v)
{0}(M, axes=0)
{0}(F, axes=(0, 2))
{0}(C)
"""
