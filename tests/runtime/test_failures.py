"""What only a run can find out: an initial value that nobody fed, a power that has no integer."""

from __future__ import annotations

import pytest

import staticgraph as sg
from tests.messages import whole


def test_an_initial_value_that_needs_a_placeholder_is_fed_to_the_initializer() -> None:
    start = sg.placeholder("float32", (), name="start")
    v = sg.Variable(start * 2.0, name="v")
    session = sg.Session()
    with pytest.raises(sg.FeedError) as info:
        session.run(v, {start: 3.0})
    assert whole(info, v=v, start=start) == (
        "run: the initial value of variable 'v' needs placeholder 'start'\n"
        "  variable 'v' at <v>\n"
        "  'start'  float32[]  placeholder at <start>\n"
        "  feed it when you run sg.global_variables_initializer(), or assign a value first\n"
        "  at <here>"
    )
    session.run(sg.global_variables_initializer(), {start: 3.0})
    assert session.run(v) == 6.0
    other = sg.Session()
    other.run(v.assign(1.0))
    assert other.run(v) == 1.0


def test_a_negative_power_of_an_integer_says_so() -> None:
    exponent = sg.placeholder("int64", (), name="exponent")
    base = sg.placeholder("int64", (), name="base")
    power = base**exponent
    with pytest.raises(sg.RunError) as info:
        sg.Session().run(power, {base: 2, exponent: -1})
    assert whole(info, power=power, base=base, exponent=exponent) == (
        "pow: an integer has no negative power among the integers\n"
        "  base 'base'  int64[]  feed at <base>\n"
        "  exponent 'exponent'  int64[]  feed at <exponent>\n"
        "  compute in floating point: sg.cast(base, 'float64') ** exponent\n"
        "  created at <power>"
    )
