"""The text of Functions: it reads well, it parses back exactly, and bad text names its line."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import staticgraph as sg
from staticgraph.core import dtypes, opdef
from staticgraph.core.function import Function, parameter
from staticgraph.core.location import UNKNOWN, Location
from staticgraph.core.node import Node, Value, make_node
from staticgraph.core.text import format_function, parse
from staticgraph.core.types import TensorType
from staticgraph.errors import CompilerError, GraphError
from tests.growth import work
from tests.messages import whole

F32 = TensorType(dtypes.float32, ())


def _lines(function: Function) -> list[str]:
    return [line.rstrip() for line in str(function).splitlines()]


def _holding(value: Any) -> Function:
    """A Function whose one node has the attribute value."""
    node = Node(opdef.get("constant"), (), {"value": value}, (F32,), "c")
    return Function([], [node], [node.out])


# -- what it looks like -----------------------------------------------------------------------


def _written(value: Any) -> str:
    """The text of one attribute value."""
    line = str(_holding(value)).split("\n  return ")[0]
    return line.split("{value=", 1)[1].removesuffix("} : float32[]")


def test_a_function_reads_like_the_program() -> None:
    place = Location(os.path.join(os.getcwd(), "train.py"), 9, "logits = x @ w")
    x = parameter("x", TensorType(dtypes.float32, ("?0", 784)), "feed")
    w = parameter("w", TensorType(dtypes.float32, ("?0", 784)), "variable", place)
    total = make_node(opdef.get("add"), [x, w], name="logits", location=place)
    square = make_node(opdef.get("square"), [total.out], name="logits")
    function = Function([x, w], [total, square], [total.out, square.out], ["logits", "update w"])
    assert str(function) == (
        "function main(\n"
        "  %x: float32[?0, 784] feed,\n"
        "  %w: float32[?0, 784] variable                                 "
        "# train.py:9: logits = x @ w\n"
        ") {\n"
        "  %logits = add(%x, %w) : float32[?0, 784]                      "
        "# train.py:9: logits = x @ w\n"
        "  %logits_1 = square(%logits) : float32[?0, 784]\n"
        '  return %logits, %logits_1 as "update w"\n'
        "}"
    )


def test_several_results_no_result_and_no_input() -> None:
    condition = Node(opdef.get("constant"), (), {"value": True}, (F32,), "condition")
    check = Node(opdef.get("assert"), (condition.out,), {"message": "no"}, (), "check")
    both = Node(opdef.get("add"), (), {}, (F32, TensorType(dtypes.int8, (2,))), "both")
    function = Function([], [condition, check, both], [both.outputs[1], both.out], name="f")
    assert _lines(function) == [
        "function f() {",
        "  %condition = constant() {value=true} : float32[]",
        '  %check = assert(%condition) {message="no"} : ()',
        "  %both = add() : (float32[], int8[2])",
        "  return %both:1, %both",
        "}",
    ]


def test_long_returns_take_a_line_each() -> None:
    names = [f"a_rather_long_name_{number}" for number in range(5)]
    inputs = [parameter(name, F32, "feed") for name in names]
    assert _lines(Function(inputs, [], inputs))[-9:] == [
        ") {",
        "  return (",
        "    %a_rather_long_name_0,",
        "    %a_rather_long_name_1,",
        "    %a_rather_long_name_2,",
        "    %a_rather_long_name_3,",
        "    %a_rather_long_name_4",
        "  )",
        "}",
    ]
    assert parse(str(Function(inputs, [], inputs))).output_names == tuple(names)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"),
        (True, "true"),
        (-3, "-3"),
        (1.5, "1.5"),
        (1e300, "1e+300"),
        (-0.0, "-0.0"),
        (float("inf"), "inf"),
        (float("-inf"), "-inf"),
        (float("nan"), "nan"),
        (np.float64(0.1), "0.1"),
        ('a "quoted"\nline', '"a \\"quoted\\"\\nline"'),
        ("größer", '"größer"'),
        ((), "()"),
        ((1,), "(1,)"),
        ((1, (None, "?0")), '(1, (none, "?0"))'),
        (dtypes.float32, "float32"),
        (TensorType(dtypes.bool_, (3, "batch", "?0", None)), "bool[3, batch, ?0, ?]"),
        (TensorType(dtypes.int8, None), "int8[...]"),
        (TensorType(dtypes.int8, ("odd ]", "?")), 'int8["odd ]", "?"]'),
        (np.array(0.1, np.float32), "float32[](0.1)"),
        (np.array([np.nan, -0.0, -np.inf, 1e99]), "float64[4](nan, -0.0, -inf, 1e+99)"),
        (np.array([[True], [False]]), "bool[2, 1](true, false)"),
        (np.zeros((0, 3), np.int16), "int16[0, 3]()"),
        (np.full((4, 8), 2.5, np.float32), "float32[4, 8](2.5, ...)"),
        (np.full(17, -0.0), "float64[17](-0.0, ...)"),
        (np.arange(17, dtype=np.uint8), "uint8[17](@0)"),
    ],
)
def test_attributes(value: Any, text: str) -> None:
    assert _written(value).split("}")[0] == text
    function = _holding(value)
    assert parse(str(function)) == function


def test_many_elements_stand_after_the_body_once() -> None:
    values = np.arange(40, dtype=np.float64)
    nodes = [
        Node(opdef.get("constant"), (), {"value": array}, (F32,), name)
        for name, array in (("a", values), ("b", values.reshape(5, 8)), ("c", -values))
    ]
    function = Function([], nodes, [node.out for node in nodes])
    lines = _lines(function)
    assert lines[1:4] == [
        "  %a = constant() {value=float64[40](@0)} : float32[]",
        "  %b = constant() {value=float64[5, 8](@0)} : float32[]",
        "  %c = constant() {value=float64[40](@1)} : float32[]",
    ]
    assert [line for line in lines if line.startswith("data")] == ["data @0 {", "data @1 {"]
    assert max(map(len, lines)) <= 98
    read = parse(str(function))
    assert read == function
    assert not any(node.attrs["value"].flags.writeable for node in read.nodes)


def test_a_nan_with_a_payload_survives() -> None:
    for dtype, bits in ((np.float32, 0x7FC00001), (np.float64, 0xFFF8000000000000)):
        unsigned = np.uint32 if dtype is np.float32 else np.uint64
        array = np.array([bits], unsigned).view(dtype)
        function = _holding(array)
        assert "(@0)" in str(function)
        (node,) = parse(str(function)).nodes
        assert node.attrs["value"].tobytes() == array.tobytes()


def test_what_is_no_attribute_has_no_text() -> None:
    with pytest.raises(CompilerError) as caught:
        str(_holding([1]))
    assert str(caught.value) == (
        "format_function: an attribute holds list [1], which has no text\n"
        "  this is a bug in staticgraph, not in your program"
    )


def test_names_are_made_unique_in_order() -> None:
    x = parameter("x", F32, "feed")
    again = parameter("x", F32, "variable")
    nodes = [make_node(opdef.get("exp"), [x], name=name) for name in ("x", "x_1", "x", "odd name")]
    function = Function([x, again], nodes, [node.out for node in nodes])
    assert _lines(function) == [
        "function main(",
        "  %x: float32[] feed,",
        '  %x_1: float32[] variable "x"',
        ") {",
        "  %x_2 = exp(%x) : float32[]",
        "  %x_1_1 = exp(%x) : float32[]",
        "  %x_3 = exp(%x) : float32[]",
        '  %"odd name" = exp(%x) : float32[]',
        '  return %x_2 as "x", %x_1_1 as "x_1", %x_3 as "x", %"odd name" as "odd name"',
        "}",
    ]
    read = parse(str(function))
    assert read == function
    assert str(read) == str(function)


def test_a_body_is_an_indented_block() -> None:
    counter = parameter("i", F32, "capture")
    step = make_node(opdef.get("exp"), [counter], name="step")
    body = Function([counter], [step], [step.out], name="body")
    x = parameter("x", F32, "feed")
    place = Location("loop.py", 3, "y = repeat(x)")
    attrs = {"value": (body, 2)}
    loop = Node(opdef.get("constant"), (x,), attrs, (F32,), "loop", place)
    assert _lines(Function([x], [loop], [loop.out])) == [
        "function main(",
        "  %x: float32[] feed",
        ") {",
        "  %loop = constant(%x) {",
        "    value=(function body(",
        "      %i: float32[] capture",
        "    ) {",
        "      %step = exp(%i) : float32[]",
        "      return %step",
        "    }, 2)",
        "  } : float32[]" + " " * 49 + "# loop.py:3: y = repeat(x)",
        "  return %loop",
        "}",
    ]


def test_a_broken_function_can_be_written_and_read_back_as_far_as_it_goes() -> None:
    x, stranger = parameter("x", F32, "feed"), parameter("y", F32, "feed")
    wrong = Node(opdef.get("exp"), (x,), {}, (TensorType(dtypes.int8, (3,)),), "wrong")
    function = Function([x], [wrong], [wrong.out])
    assert parse(str(function)) == function
    lost = make_node(opdef.get("exp"), [stranger], name="lost")
    assert _lines(Function([x], [lost], [stranger]))[3:5] == [
        '  %lost = exp(%"undefined y") : float32[]',
        '  return %"undefined y" as "y"',
    ]


# -- lines of the user ------------------------------------------------------------------------


def _fields(location: Location | None) -> Any:
    if location is None:
        return None
    return (
        location.filename, location.line, location.text, location.adjoint_of,
        _fields(location.forward),
    )  # fmt: skip


def _through_text(location: Location) -> Location:
    node = Node(opdef.get("constant"), (), {"value": 1}, (F32,), "c", location)
    text = str(Function([], [node], [node.out]))
    read = parse(text)
    assert str(read) == text
    return read.nodes[0].location


_FORWARD = Location("train.py", 9, "y = tanh(x)")


@pytest.mark.parametrize(
    "location",
    [
        _FORWARD,
        Location("<stdin>", 1),
        Location("C:\\my code\\a.py", 12, 'print("x: 3 | 4")'),
        Location("odd:12: name.py", 3, " indented\ttext"),
        Location("a.py", 3, '"text"'),
        Location("a.py", 3, "a | by b"),
        Location("adjoint of x", 3, "x"),
        Location("a.py", 20, "g = gradients(y, x)", "", "tanh", _FORWARD),
        Location("a.py", 20, "g = gradients(y, x)", "", "tanh"),
        Location("a.py", 20, "", "", "it's | odd at 7", Location("b.py", 1, "at | once")),
        Location("a.py", 30, "h", "", "g/t", Location("a.py", 20, "g", "", "t", _FORWARD)),
        Location("a.py", 30, "h", "", "g", UNKNOWN),
        Location("", 30, "text"),
    ],
)
def test_lines_come_back(location: Location) -> None:
    assert _fields(_through_text(location)) == _fields(location)


def test_an_unknown_line_is_no_comment() -> None:
    assert "#" not in str(_holding(1))
    assert _through_text(UNKNOWN) is UNKNOWN


def test_lines_of_adjoints_name_the_node_and_its_line() -> None:
    asked = Location("train.py", 20, "g = sg.gradients(y, x)", "", "tanh", _FORWARD)
    node = Node(opdef.get("constant"), (), {"value": 1}, (F32,), "c", asked)
    assert str(Function([], [node], [node.out])).splitlines()[1].split("# ")[1] == (
        "adjoint of 'tanh' at train.py:9: y = tanh(x) | by train.py:20: g = sg.gradients(y, x)"
    )


def test_remarks_are_allowed_and_mean_nothing() -> None:
    text = (
        "# A remark above.\n"
        "function main(\n"
        "  # Another.\n"
        "  %x: float32[] feed  # the operand\n"
        ") {\n"
        "  # One more.\n"
        "  %y = exp(%x) : float32[]  # 3 | by 4\n"
        "\n"
        "  return %y # the end\n"
        "}\n"
        "# Below.\n"
    )
    x = parameter("x", F32, "feed")
    y = make_node(opdef.get("exp"), [x], name="y")
    read = parse(text)
    assert read == Function([x], [y], [y.out])
    assert read.nodes[0].location is UNKNOWN


# -- any Function at all ----------------------------------------------------------------------

_names = st.text(max_size=6) | st.sampled_from(["x", "x_1", "a/b", "x:1", "\ud800", "\u2028"])
_dims = st.integers(0, 9) | st.sampled_from(["?0", "?1", "batch"]) | st.none() | _names
_types = st.builds(
    TensorType,
    st.sampled_from(dtypes.ALL),
    st.none() | st.lists(_dims, max_size=3).map(tuple),
)
_shapes = npst.array_shapes(min_dims=0, max_side=5, min_side=0)
_arrays = st.sampled_from(dtypes.ALL).flatmap(
    # Hypothesis knows no bfloat16: its bits are as good.
    lambda dtype: (
        npst.arrays(dtype, _shapes)
        if dtype != dtypes.bfloat16
        else npst.arrays(np.uint16, _shapes).map(lambda bits: bits.view(dtypes.bfloat16))
    )
)
_places = st.builds(Location, _names, st.integers(0, 999), _names)
_locations = (
    _places
    | st.just(UNKNOWN)
    | st.builds(
        lambda place, name, forward: place.of_adjoint(name, forward), _places, _names,
        st.none() | _places,
    )
)  # fmt: skip


def _attrs(functions: st.SearchStrategy[Function]) -> st.SearchStrategy[Any]:
    plain = (
        st.none() | st.booleans() | st.integers() | st.floats() | _names
        | st.sampled_from(dtypes.ALL) | _types | _arrays | functions
    )  # fmt: skip
    return st.recursive(plain, lambda item: st.lists(item, max_size=3).map(tuple), max_leaves=4)


@st.composite
def _functions(draw: Callable[..., Any], depth: int = 0) -> Function:
    inner = st.nothing() if depth == 2 else _functions(depth + 1)
    ops = list(opdef.registered())
    inputs = [
        parameter(name, type, kind, location)
        for name, type, kind, location in draw(
            st.lists(st.tuples(_names, _types, _names, _locations), max_size=3)
        )
    ]
    values: list[Value] = list(inputs)
    nodes: list[Node] = []
    for _ in range(draw(st.integers(0, 4 - depth))):
        operands = draw(st.lists(st.sampled_from(values), max_size=3)) if values else []
        attrs = draw(
            st.dictionaries(st.sampled_from(["value", "axis", "shape"]), _attrs(inner), max_size=2)
        )
        types = tuple(draw(st.lists(_types, max_size=3)))
        op = draw(st.sampled_from(ops))
        node = Node(op, tuple(operands), attrs, types, draw(_names), draw(_locations))
        nodes.append(node)
        values += node.outputs
    outputs = draw(st.lists(st.sampled_from(values), max_size=3)) if values else []
    names = draw(st.lists(_names, min_size=len(outputs), max_size=len(outputs)))
    return Function(inputs, nodes, outputs, names, draw(_names))


@settings(
    max_examples=300, deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(_functions())
def test_every_function_parses_back(function: Function) -> None:
    text = format_function(function)
    # It goes into files: no character that an encoding or a reader of lines would change.
    assert text.encode("utf-8").decode("utf-8") == text
    assert text.splitlines() == text.split("\n")
    read = parse(text)
    assert read == function
    assert format_function(read) == text
    for have, want in zip(read.nodes, function.nodes, strict=True):
        if want.location.filename == UNKNOWN.filename and not want.location.line:
            continue
        assert _fields(have.location) == _fields(want.location)


# -- text that is none ------------------------------------------------------------------------

_GOOD = (
    "function main(\n"
    "  %x: float32[2] feed\n"
    ") {\n"
    "  %c = constant() {value=float32[2](1.0, 2.0)} : float32[2]\n"
    "  %y = add(%x, %c) : float32[2]\n"
    "  return %y\n"
    "}\n"
)


@pytest.mark.parametrize(
    ("old", "new", "line", "have", "want"),
    [
        (_GOOD, "", 1, "the end", "function NAME("),
        ("function main(", "def main(", 1, "'def main('", "function NAME("),
        ("feed", "", 2, "'%x: float32[2]'", "%LABEL: TYPE KIND, an input"),
        (
            "%x: float32[2]", "%x: float8[2]", 2, "'%x: float8[2] feed'",
            "a dtype (bool, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float16, "
            "bfloat16, float32, float64, complex64, complex128); 'float8' is none",
        ),
        (
            "%x: float32[2]", "%x: float32[2,,]", 2, "'%x: float32[2,,] feed'",
            "a size, a symbol or ?, for each axis",
        ),
        (") {\n", ")\n", 3, "')'", ") {"),
        ("feed\n", "feed,\n  %x: int8[] feed\n", 3, "'%x: int8[] feed'", "one definition of %x"),
        ("%y = ", "%x = ", 5, "'%x = add(%x, %c) : float32[2]'", "one definition of %x"),
        (
            "add(", "plus(", 5, "'%y = plus(%x, %c) : float32[2]'",
            "the name of a registered op; 'plus' is none",
        ),
        (
            "%x, %c", "%x, %d", 5, "'%d) : float32[2]'",
            "an operand that is computed before; %d is not",
        ),
        (
            "%x, %c", "%x:1, %c", 5, "'%x:1, %c) : float32[2]'",
            "an operand that is computed before; %x:1 is not",
        ),
        ("%x, %c", "%x; %c", 5, "'%x; %c) : float32[2]'", "%LABEL, an operand"),
        (") : float32[2]\n  ret", ")\n  ret", 6, "'return %y'", ": TYPE, the type of the result"),
        ("  return %y\n", "", 6, "'}'", "%LABEL = OP(...), or return"),
        ("return %y", "return %z", 6, "'%z'", "an operand that is computed before; %z is not"),
        ("return %y", "return %y,", 7, "'}'", "%LABEL, a further output"),
        ("return %y", "return (%y", 7, "'}'", ") after the outputs"),
        ("return %y\n}", "return %y as y\n}", 6, "'as y'", "} after return"),
        ("%y\n}\n", "%y\n}\n}\n", 8, "'}'", "the end, or a data section"),
        ("{value=", "{", 4, "'float32[2](1.0, 2.0)} : float32[2]'", "NAME=VALUE, an attribute"),
        ("float32[2](1.0, 2.0)", "?", 4, "'?} : float32[2]'", "the value of an attribute"),
        ("float32[2](1.0, 2.0)", "nine", 4, "'nine} : float32[2]'", "the value of an attribute"),
        ("2.0)}", "2.0), value=1}", 4, "'1} : float32[2]'", "one attribute value"),
        ("2.0)}", "2.0) x=1}", 4, "'x=1} : float32[2]'", ", or } among the attributes"),
        ("float32[2](1.0, 2.0)", "(1 2)", 4, "'2)} : float32[2]'", ", or ) in a tuple"),
        (
            "(1.0, 2.0)", "(1.0; 2.0)", 4, "'; 2.0)} : float32[2]'",
            ", or ) among the elements of an array",
        ),
        (
            "(1.0, 2.0)", "(1.0)", 4, "'float32[2](1.0)} : float32[2]'", "2 elements, not 1",
        ),
        (
            "(1.0, 2.0)", "(1, 2)", 4, "'float32[2](1, 2)} : float32[2]'", "elements of float32",
        ),
        (
            "float32[2](1.0, 2.0)", "uint8[2](1, 300)", 4, "'uint8[2](1, 300)} : float32[2]'",
            "elements that fit uint8",
        ),
        (
            "float32[2](1.0, 2.0)", "float32[?](1.0)", 4, "'float32[?](1.0)} : float32[2]'",
            "sizes that are known, in the type of an array",
        ),
        ("(1.0, 2.0)", "(@7)", 4, "'float32[2](@7)} : float32[2]'", "a section data @7"),
        (
            "(1.0, 2.0)} : float32[2]\n  %y = add(%x, %c) : float32[2]\n  return %y\n}\n",
            "(@0)} : float32[2]\n  return %c\n}\ndata @0 {\n  AAAA\n}\n",
            4, "'float32[2](@0)} : float32[2]'", "8 bytes in data @0, not 3",
        ),
        ("%y\n}\n", "%y\n}\ndata @0 {\n  A\n}\n", 9, "'A'", "base64"),
        (
            "%y\n}\n", "%y\n}\ndata @0 {\n}\ndata @0 {\n}\n", 10, "'data @0 {'", "one section @0",
        ),
        (
            "float32[2](1.0, 2.0)", '"\\x"', 4, "'\"} : float32[2]'",
            'a JSON string instead of "\\x"',
        ),
        (
            ": float32[2]\n  ret", ": (float32[2] int8[])\n  ret", 5, "'int8[])'",
            ", or ) among the types of the results",
        ),
        (
            ": float32[2]\n  ret", ": (2)\n  ret", 5, "'2)'", "TYPE, the type of a result",
        ),
    ],
)  # fmt: skip
def test_bad_text_names_its_line(old: str, new: str, line: int, have: str, want: str) -> None:
    assert _GOOD.count(old) >= 1
    with pytest.raises(GraphError) as caught:
        parse(_GOOD.replace(old, new, 1))
    assert whole(caught) == (
        f"parse: line {line} is no text of a Function\n"
        f"  have {have}\n"
        f"  want {want}\n"
        "  give text that str(function) made, or change it in its form\n"
        "  at <here>"
    )


# -- size -------------------------------------------------------------------------------------


def _chain(length: int) -> Function:
    x = sg.placeholder("float32", (None, 3), name="x")
    y = x
    for _ in range(length // 2):
        y = sg.sin(y) * 1.5
    return sg.extract(y)


def test_text_takes_linear_work() -> None:
    small, large = _chain(1_000), _chain(10_000)
    text, long = str(small), str(large)
    assert parse(long) == large
    assert work(lambda: str(large)) < 12 * work(lambda: str(small))
    assert work(lambda: parse(long)) < 12 * work(lambda: parse(text))
