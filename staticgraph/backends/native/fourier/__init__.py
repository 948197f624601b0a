"""Fourier transforms in machine code."""
