"""Arguments that NumPy takes or refuses: what is known is refused at once, the rest in the run."""

from __future__ import annotations

import numpy as np
import pytest

import staticgraph as sg


@pytest.mark.parametrize("name", ["fft", "ifft", "fftn", "ifftn", "irfft", "irfftn", "hfft"])
def test_no_norm_is_the_scale_of_the_inverse_alone(name: str) -> None:
    z = np.array([1.0, 2.0 + 1j, -0.5, 3.0])
    have = sg.Session().run(getattr(np.fft, name)(sg.constant(z), norm=None))
    np.testing.assert_allclose(have, getattr(np.fft, name)(z, norm=None), rtol=1e-12)


@pytest.mark.parametrize("name", ["rfft", "rfftn", "ihfft"])
def test_no_norm_of_real_numbers(name: str) -> None:
    x = np.array([1.0, 2.0, -0.5, 3.0])
    have = sg.Session().run(getattr(sg.fft, name)(sg.constant(x), norm=None))
    np.testing.assert_allclose(have, getattr(np.fft, name)(x), rtol=1e-12)
