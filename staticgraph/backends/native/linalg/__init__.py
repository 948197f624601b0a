"""Linear algebra in machine code: LAPACK's routines, and own kernels for small matrices."""
