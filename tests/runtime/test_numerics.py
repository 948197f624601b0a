"""check_numerics: the first node that makes a NaN or infinity is named, with the user's line."""

from __future__ import annotations

import numpy as np
import pytest

import staticgraph as sg
from tests.messages import whole


def test_the_first_maker_is_named_not_those_it_poisons() -> None:
    x = sg.placeholder("float32", (None,), name="x")
    y = sg.log(x)
    z = sg.exp(y * 0.0 + 1.0)
    session = sg.Session(check_numerics=True)
    with pytest.raises(sg.NumericsError) as info:
        session.run(z, {x: [1.0, 0.0, -1.0]})
    assert whole(info, x=x, y=y) == (
        "log: made 1 NaN and 1 inf from finite operands\n"
        "  x 'x'  float32[?]  feed at <x>\n"
        "  'log' has 3 elements; the first that is not finite is -inf at [1]\n"
        "  there the operands are 0.0\n"
        "  guard the operand, for example with sg.where or sg.clip\n"
        "  created at <y>"
    )
    np.testing.assert_allclose(session.run(z, {x: [1.0]}), np.e, rtol=1e-6)


def test_an_adjoint_names_its_forward_node() -> None:
    x = sg.placeholder("float32", (), name="x")
    y = sg.sqrt(x)
    (slope,) = sg.gradients(y, x)
    session = sg.Session(check_numerics=True)
    with pytest.raises(sg.NumericsError) as info:
        session.run(slope, {x: 0.0})
    assert whole(info, y=y).endswith("(adjoint of 'sqrt' at <y>)")


def test_constants_are_still_named_after_folding() -> None:
    y = sg.log(sg.constant(0.0))
    with pytest.raises(sg.NumericsError, match="log: made 1 inf from finite operands"):
        sg.Session(check_numerics=True).run(y + 1.0)


def test_infinities_that_are_fed_or_written_are_nobodys_fault() -> None:
    x = sg.placeholder("float32", ())
    session = sg.Session(check_numerics=True)
    assert session.run(sg.maximum(x, -np.inf) + 1.0, {x: np.inf}) == np.inf


def test_without_it_numbers_go_as_ieee_says() -> None:
    x = sg.placeholder("float32", ())
    assert np.isnan(sg.Session().run(sg.log(x), {x: -1.0}))
