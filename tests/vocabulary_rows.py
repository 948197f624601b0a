"""The vocabulary that random programs are made of: a row for a kind of statement.

Rows take a `Grower`, choose operands with it, and give an expression. What is decided by an order
or a comparison takes `decisive` or `ordered` operands; see tests/vocabulary_programs.py.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.vocabulary_constructs import cond, fori_loop, map_fn, scan, while_loop
from tests.vocabulary_programs import Grower, Refused, Row, Value

# -- elementwise ------------------------------------------------------------------------------

UNARY = (
    "sg.tanh({})", "sg.sin({})", "sg.cos({})", "sg.sigmoid({})", "sg.erf({})", "sg.erfc({})",
    "sg.exp(sg.tanh({}))", "sg.log(2.5 + sg.sin({}))", "sg.sqrt(1.5 + sg.sin({}))",
    "sg.cbrt(2.0 + sg.sin({}))", "sg.log1p(sg.square({}))", "sg.expm1(sg.tanh({}))",
    "sg.rsqrt(2.0 + sg.cos({}))", "sg.softplus({})", "sg.asinh({})", "sg.atan({})",
    "sg.acos(0.8 * sg.sin({}))", "sg.asin(0.8 * sg.sin({}))", "sg.atanh(0.8 * sg.sin({}))",
    "sg.acosh(2.5 + sg.sin({}))", "sg.sinh({})", "sg.cosh({})", "sg.exp2({})",
    "sg.log2(2.5 + sg.sin({}))", "sg.log10(2.5 + sg.sin({}))", "sg.digamma(2.5 + sg.sin({}))",
    "sg.lgamma(2.5 + sg.sin({}))", "sg.polygamma(1, 2.5 + sg.sin({}))",
    "sg.erfinv(0.8 * sg.sin({}))", "sg.sinc({})", "(1.5 + sg.sin({})) ** 1.7", "{} ** 3",
    "sg.nn.gelu({})", "sg.nn.silu({})", "sg.nn.elu({})", "sg.tan(sg.tanh({}))",
    "sg.reciprocal(2.0 + sg.sin({}))", "sg.deg2rad({})", "sg.stop_gradient({})",
    "sg.cast({}, 'complex128')", "sg.cast({}, 'complex64')", "sg.cast({}, 'float64')",
    "sg.cast({}, 'float32')", "sg.cast({}, 'float16')", "sg.cast({}, 'bfloat16')",
)  # fmt: skip
EXACT_UNARY = (
    "-{}", "sg.abs({})", "sg.relu({})", "sg.positive({})", "sg.identity({})",
    "sg.nan_to_num({})", "sg.clip({}, -0.7, 0.9)", "sg.cast({}, 'complex128')",
    "sg.cast({}, 'float64')", "sg.nn.leaky_relu({}, 0.5)",
)  # fmt: skip
BINARY = (
    "{} + {}", "{} - 0.5 * {}", "sg.tanh({} * {})", "{} / (2.0 + sg.sin({}))",
    "(1.5 + sg.sin({})) ** sg.tanh({})", "sg.hypot({}, 1.0 + sg.square({}))",
    "sg.atan2({}, 1.5 + sg.sin({}))", "sg.logaddexp({}, {})", "sg.logaddexp2({}, {})",
    "sg.xlogy({}, 2.0 + sg.sin({}))", "sg.maximum({}, {})", "sg.minimum({}, {})",
    "sg.fmax({}, {})", "sg.fmin({}, {})", "sg.complex({}, {})",
    "sg.igamma(1.5 + sg.square({}), 0.5 + sg.square({}))",
    "sg.igammac(1.5 + sg.square({}), 0.5 + sg.square({}))",
    "sg.copysign({}, 1.5 + sg.sin({}))", "sg.float_power(2.0 + sg.sin({}), {})",
)  # fmt: skip
COMPLEX_UNARY = (
    "sg.exp(0.5 * {})", "sg.sin({})", "sg.cos({})", "sg.tanh(0.5 * {})", "sg.sinh({})",
    "sg.sqrt(4.0 + {})", "sg.log(4.0 + {})", "sg.reciprocal(4.0 + {})", "{} * {}",
    "sg.square({})", "sg.abs(4.0 + {})", "sg.angle(4.0 + {})", "(4.0 + {}) ** 1.3", "{} ** 2",
    "sg.real({})", "sg.imag({})", "sg.conj({})", "sg.cosh({})", "sg.log1p(0.3 * {})",
    "sg.expm1(0.3 * {})", "sg.cast({}, 'complex128')", "sg.cast({}, 'complex64')", "1j * {}",
)  # fmt: skip
COMPLEX_BINARY = (
    "{} + {}", "{} - 0.5 * {}", "{} * {}", "{} / (4.0 + {})", "sg.conj({}) * {}",
    "(4.0 + {}) ** (0.3 * {})",
)  # fmt: skip
DECIDED = (
    "sg.floor({})", "sg.ceil({})", "sg.trunc({})", "sg.round({}, 1)", "sg.sign({})",
    "sg.cast({}, 'int32')", "sg.cast({}, 'int64')", "sg.modf({})", "sg.frexp({})", "sg.signbit({})",
    "sg.heaviside({}, 0.5)", "sg.fmod({}, 0.7)", "sg.remainder({}, 0.7)", "{} // 0.3",
    "sg.divmod({}, 0.7)", "sg.cast({}, 'float16')", "sg.cast({}, 'bfloat16')",
)  # fmt: skip
COMPARED = (
    "{} < {}", "{} <= {}", "{} > {}", "sg.equal({}, {})", "sg.not_equal({}, {})",
    "sg.isclose({}, {}, atol=0.3)",
)  # fmt: skip
INTEGERS = (
    "-{}", "{} * 3", "{} // 2", "{} % 3", "{} ^ 3", "{} & 5", "sg.bitwise_invert({})",
    "sg.bitwise_count({})", "sg.square({})", "sg.clip({}, 1, 4)", "sg.cast({}, 'int8')",
    "sg.cast({}, 'uint16')", "sg.cast({}, 'int64')", "sg.cast({}, 'float32')",
    "sg.cast({}, 'float64')", "sg.cast({}, 'float16')", "{} > 1", "{} << 1", "{} >> 1",
    "sg.abs({})", "sg.sign({})", "sg.cast({}, 'complex64')",
)  # fmt: skip
INTEGER_PAIRS = (
    "{} + {}", "{} - {}", "{} * {}", "sg.maximum({}, {})", "sg.gcd({}, {})", "sg.lcm({}, {})",
    "{} | {}", "{} ^ {}", "{} < {}", "sg.equal({}, {})", "{} // ({} * 0 + 2)",
)  # fmt: skip
FLAGS = (
    "~{}", "sg.cast({}, 'float32')", "sg.cast({}, 'int64')", "sg.cast({}, 'float64')",
    "sg.cast({}, 'bfloat16')",
)  # fmt: skip


def unary(forms: tuple[str, ...], kinds: str) -> Callable[[Grower], str]:
    def make(g: Grower) -> str:
        form = g.one(*forms)
        value = g.pick(kinds)
        return str(form.format(*[value] * form.count("{}")))

    return make


def binary(forms: tuple[str, ...], kinds: str) -> Callable[[Grower], str]:
    def make(g: Grower) -> str:
        first = g.pick(kinds)
        return str(g.one(*forms).format(first, g.beside(first, kinds)))

    return make


def decided(g: Grower) -> str:
    return str(g.one(*DECIDED).format(g.decisive("f")))


def compared(g: Grower) -> str:
    first = g.decisive("f")
    second = g.beside(g.last, "f")
    if second.level > 1:
        raise Refused
    return str(g.one(*COMPARED).format(first, f"snap({second})" if second.level else second))


def chosen(g: Grower) -> str:
    first = g.pick("fciu")
    second = g.beside(first)
    return f"sg.where({g.beside(first, 'b')}, {first}, {second})"


# -- reductions ------------------------------------------------------------------------------


def reduced(g: Grower) -> str:
    name = g.one(
        "sum", "mean", "prod", "var", "std", "logsumexp", "max", "min", "ptp", "average",
        "nanmean", "nansum", "nanvar", "nanmax", "linalg.vector_norm",
    )  # fmt: skip
    if name in ("max", "min", "ptp", "nanmax"):
        text = g.ordered(0)
        value = g.last
    else:
        value = g.pick("fc" if name in ("sum", "mean", "prod") else "f")
        text = f"({value} + 2.0)" if name in ("std", "linalg.vector_norm") else str(value)
    if name.startswith("nan") and g.flag():
        text = f"sg.where({g.beside(value, 'b')}, {text}, np.nan)"
    if name == "std":
        text = f"({text} + steps({text}))" if value.ndim > 1 else f"apart({text})"
    return f"sg.{name}({text}, axis={g.axes(value)}, keepdims={g.flag()})"


def whole_reduced(g: Grower) -> str:
    value = g.pick("iub")
    name = g.one("sum", "max", "min", "prod", "any", "all", "count_nonzero", "ptp")
    return f"sg.{name}({value}, axis={g.axes(value)}, keepdims={g.flag()})"


def masked_sum(g: Grower) -> str:
    value = g.pick("fc")
    where = g.beside(value, "b")
    return f"sg.{g.one('sum', 'mean')}({value}, axis={g.axes(value)}, where={where})"


def places(g: Grower) -> str:
    text = g.decisive()
    return f"sg.{g.one('argmax', 'argmin')}({text}, axis={g.axis()}, keepdims={g.flag()})"


def quantiles(g: Grower) -> str:
    text = g.ordered(1)
    if g.flag():
        return f"sg.median({text}, axis={g.axis()}, keepdims={g.flag()})"
    method = g.one("linear", "lower", "higher", "midpoint", "nearest")
    q = g.one("0.3", "[0.1, 0.5, 0.77]", "1.0")
    return f"sg.quantile({text}, {q}, axis={g.axis()}, method='{method}', keepdims={g.flag()})"


def histogram(g: Grower) -> str:
    text = g.decisive("f")
    options = g.one("bins=4, range=(-1.03, 1.07)", "bins=[-1.53, -0.21, 0.33, 1.51]")
    if g.flag():
        options += f", weights=sg.tanh({g.last})"
    return f"sg.histogram({text}, {options}, density=False)"


def rows(g: Grower) -> str:
    value = g.pick("f", 1)
    form = g.one(
        "sg.softmax({x}, axis={a})", "sg.log_softmax({x}, axis={a})", "sg.cumsum({x}, axis={a})",
        "sg.cumprod({x}, axis={a})", "sg.cumsum({x}, axis={a}, reverse=True)",
        "sg.diff({x}, axis={a})",
        "sg.cumulative_sum({x}, axis={a}, include_initial=True)", "sg.trapezoid({x}, axis={a})",
        "sg.cumulative_prod({x}, axis={a}, include_initial=True)", "sg.diff({x}, n=2, axis={a})",
        "sg.cumprod({x}, axis={a}, reverse=True)", "sg.softmax({x}, axis={a})[..., :1]",
        "sg.unwrap(3.0 * {x}, axis={a}, discont=40.0)",
    )  # fmt: skip
    return str(form.format(x=value, a=g.axis(value)))


def complex_rows(g: Grower) -> str:
    value = g.pick("c", 1)
    form = g.one("sg.cumsum({x}, axis={a})", "sg.cumprod({x}, axis={a})", "sg.diff({x}, axis={a})")
    return str(form.format(x=value, a=g.axis(value)))


def covariance(g: Grower) -> str:
    value = g.pick("f", 2, 2)
    form = g.one("sg.cov({x})", "sg.corrcoef(apart({x}))", "sg.cov({x}, rowvar=False)")
    return str(form.format(x=value))


# -- order and sets ------------------------------------------------------------------------------


def sorted_floats(g: Grower) -> str:
    text = g.ordered(1)
    return f"sg.sort({text}, axis={g.axis()}, descending={g.flag()})"


def ordered(g: Grower) -> str:
    text = g.decisive(low=1)
    axis = g.axis()
    size = g.last.array.shape[axis]
    return str(g.one(
        f"sg.argsort({text}, axis={axis}, descending={g.flag()})",
        f"sg.sort({text}, axis={axis}, descending={g.flag()})",
        f"sg.top_k({text}, {g.chance.randint(0, size)}, axis={axis}, largest={g.flag()})",
    ))  # fmt: skip


def searched(g: Grower) -> str:
    line = g.decisive("f", 1, 1)
    value = g.decisive("f")
    kind = g.chance.randrange(4)
    if kind == 0:
        return f"sg.digitize({value}, [-0.93, 0.11, 0.71])"
    if kind == 1:
        return f"sg.isin({value}, {line})"
    if kind == 2:
        return f"sg.searchsorted(sg.sort({line}), {value}, side='{g.one('left', 'right')}')"
    return f"sg.searchsorted({line}, {value}, sorter=sg.argsort({line}))"


def sets(g: Grower) -> str:
    text = g.decisive("fiu")
    return str(g.one(
        f"sg.unique_values({text})", f"sg.unique_counts({text})", f"sg.unique_inverse({text})",
        f"sg.unique_all({text})", f"sg.unique({text}, size=4, fill_value=1)",
        f"sg.unique({text}, return_inverse=True, return_counts=True)",
    ))  # fmt: skip


def found(g: Grower) -> str:
    flags = g.pick("b", 1)
    return str(g.one(
        f"sg.nonzero({flags})", f"sg.argwhere({flags})", f"sg.flatnonzero({flags})",
        f"sg.nonzero({flags}, size=5, fill_value=0)", f"sg.flatnonzero({flags}, size=3)",
    ))  # fmt: skip


def interpolated(g: Grower) -> str:
    return f"sg.interp({g.pick('f')}, [-1.3, -0.4, 0.37, 1.9], [0.3, -0.7, 0.2, 1.1])"


# -- segments, scatters, indexing ----------------------------------------------------------------


def segments(g: Grower) -> str:
    ids = g.pick("iu", 1, 1)
    rows = ids.array.shape[0]
    name = g.one("sum", "mean", "max", "min")
    value = g.pick("f", 1, test=lambda v: v.array.shape[0] == rows)
    count = g.one("3", "5")
    text = f"sg.segment_{name}({value}, {ids} % {count}, {count})"
    # An empty segment has no largest element.
    return f"sg.clip({text}, -5.0, 5.0)" if name in ("max", "min") else text


def counted(g: Grower) -> str:
    ids = g.pick("iu", 1, 1)
    if g.flag():
        return f"sg.bincount({ids} % 5, minlength=3)"
    weights = g.pick("f", 1, 1, lambda v: v.array.shape == ids.array.shape)
    return f"sg.bincount({ids} % 4, {weights}, length=4)"


def scattered(g: Grower) -> str:
    x = g.pick("fciu", 1)
    axis = g.chance.randrange(x.ndim)
    if not x.array.shape[axis]:
        raise Refused
    ids = g.pick("iu", 1, 1)
    index = f"{ids} % {x.array.shape[axis]}"
    updates = f"sg.take({g.one(x, f'2 * {x}')}, {index}, axis={axis})"
    return f"sg.scatter_add({x}, {index}, {updates}, axis={axis})"


def taken(g: Grower) -> str:
    x = g.pick("fciub", 1)
    axis = g.axis(x)
    size = x.array.shape[axis]
    if not size:
        raise Refused
    ids = g.pick("iu")
    if ids.array.size * x.array.size > 40 * g.largest:
        raise Refused
    return str(g.one(
        f"sg.take({x}, {ids} % {size}, axis={axis})",
        f"sg.gather({x}, {ids} % {size}, axis={axis})",
        f"{x}[{ids} % {x.array.shape[0] or 1}]",
    ))  # fmt: skip


def along(g: Grower) -> str:
    x = g.pick("fciu", 1)
    axis = g.axis(x)
    if not x.array.shape[axis]:
        raise Refused
    ids = g.pick("iu", x.ndim, x.ndim)
    return f"sg.take_along_axis({x}, {ids} % {x.array.shape[axis]}, axis={axis})"


def one_hot(g: Grower) -> str:
    dtype = g.one("float32", "float64", "int64", "complex64")
    return f"sg.one_hot({g.pick('iu')} % 4, 4, '{dtype}')"


# -- moving ------------------------------------------------------------------------------

MOVES = (
    "sg.permute_dims({x})", "sg.reshape({x}, (-1,))", "sg.expand_dims({x}, {a})", "{x}[..., ::-1]",
    "{x}[::2]", "{x}[1:]", "{x}[..., :3]", "{x}[..., None, :]", "{x}[:, None]", "{x}[-1:]",
    "sg.flip({x}, {a})", "sg.pad({x}, 1)", "sg.pad({x}, 1, mode='edge')",
    "sg.roll({x}, 1, axis={a})",
    "sg.tile({x}, 2)", "sg.repeat({x}, 2, axis={a})", "sg.stack([{x}, {x}], axis={a})",
    "sg.tril({x})", "sg.triu({x}, 1)", "sg.moveaxis({x}, 0, -1)", "sg.swapaxes({x}, 0, -1)",
    "sg.matrix_transpose({x})", "sg.linalg.diagonal({x})", "sg.linalg.matrix_diag({x})",
    "sg.reshape(sg.permute_dims({x}), sg.shape({x}))", "sg.split({x}, 1, axis={a})",
    "sg.pad({x}, 1, mode='reflect')", "{x}[..., -2::-1]", "sg.fft.fftshift({x})",
    "sg.fft.ifftshift({x}, axes={a})", "{x}[0]", "{x}[..., 1]", "sg.linalg.diag({x})",
    "sg.pad({x}, 1, mode='wrap')", "sg.broadcast_to({x}, (2, *{x}.type.shape))",
)  # fmt: skip


def moved(g: Grower) -> str:
    x = g.pick("fciub", 1)
    return str(g.one(*MOVES).format(x=x, a=g.axis(x)))


def joined(g: Grower) -> str:
    x = g.pick("fciu", 1)
    axis = g.axis(x) % x.ndim

    def fits(other: Value) -> bool:
        left, right = list(x.array.shape), list(other.array.shape)
        return left[:axis] + left[axis + 1 :] == right[:axis] + right[axis + 1 :]

    other = g.pick(x.kind, x.ndim, x.ndim, fits)
    return f"sg.concat([{x}, {other}, {x}], axis={axis})"


# -- products ------------------------------------------------------------------------------


def product(g: Grower) -> str:
    x = g.pick("fc", 1)
    inner = x.array.shape[-1]

    def fits(other: Value) -> bool:
        return other.ndim <= 3 and other.array.shape[-2:][0] == inner

    y = g.pick("fc", 1, 3, fits)
    return f"0.5 * ({x} @ {y})"


def einsum(g: Grower) -> str:
    x = g.pick("fc", 1, 3)
    letters = "abc"[: x.ndim]
    sizes = dict(zip(letters, x.array.shape, strict=True))
    y = g.pick("fc", 0, 3)
    other = ""
    for size in y.array.shape:
        same = [
            k for k, n in sizes.items() if n == size and (k not in other or g.chance.random() < 0.2)
        ]
        fresh = "defghij"[len(other)]
        other += g.one(*same) if same and g.chance.random() < 0.8 else fresh
    both = sorted(set(letters + other))
    kept = "".join(k for k in both if g.chance.random() < 0.5)
    if g.chance.random() < 0.3:
        return f"0.3 * sg.einsum('{letters},{other},{letters}->{kept}', {x}, {y}, {x})"
    return f"0.5 * sg.einsum('{letters},{other}->{kept}', {x}, {y})"


def other_products(g: Grower) -> str:
    x = g.pick("fc", 1, 2)
    y = g.pick("fc", 1, 2)
    small = x.array.size * y.array.size <= g.largest
    forms = ["sg.tensordot({x}, {y}, axes=0)", "sg.outer({x}, {y})", "sg.linalg.kron({x}, {y})"]
    if x.ndim == y.ndim == 1:
        forms += ["sg.convolve({x}, {y})", "sg.convolve({x}, {y}, mode='same')"]
    forms = forms if small else ["sg.vecdot({x}, {x})"]
    if x.array.shape == y.array.shape:
        forms += ["sg.vecdot({x}, {y})", f"sg.tensordot({{x}}, {{y}}, axes={x.ndim})"]
    if x.array.shape[-1] == 3:
        forms += ["sg.linalg.cross({x}, sg.sin({x}))"]
    return str(g.one(*forms).format(x=x, y=y))


# -- factors ------------------------------------------------------------------------------

FACTORS = (
    "sg.linalg.cholesky({p})", "sg.linalg.cholesky({p}, upper=True)", "sg.linalg.inv({m})",
    "sg.linalg.inv({p})", "sg.tanh(sg.linalg.det(0.4 * {m}))", "sg.linalg.slogdet({m})[1]",
    "sg.linalg.slogdet({m})", "sg.linalg.solve({m}, {x})", "sg.linalg.eigvalsh({p})",
    "sg.linalg.matrix_power(0.5 * {m}, 3)", "sg.linalg.matrix_power({m}, -1)",
    "sg.linalg.trace({m})",
    "sg.linalg.cho_solve(sg.linalg.cholesky({p}), {x})", "sg.linalg.svdvals({p})",
    "sg.linalg.solve_triangular(sg.triu({p}), {x})", "sg.linalg.pinv({p})",
    "sg.linalg.solve_triangular(sg.tril({p}), {x}, lower=True)", "sg.linalg.matrix_norm({m})",
    "sg.linalg.expm(sg.tanh({m}))", "sg.abs(sg.linalg.qr({m}, mode='r'))",
    "sg.linalg.lstsq({m}, {x})[0]", "sg.linalg.norm({m}, ord='nuc', axis=(-2, -1))",
    "sg.linalg.norm({p}, ord=2, axis=(-2, -1))", "sg.linalg.multi_dot([0.3 * {m}, {x}, {x}.mT])",
)  # fmt: skip
SPECTRAL = (
    "(lambda w, q: sg.matmul(q * sg.exp(-w)[..., None, :], sg.conj(q.mT)))(*sg.linalg.eigh({p}))"
)
POLAR = (
    "(lambda u, s, v: sg.matmul(u * (s / (1.0 + s))[..., None, :], v))"
    "(*sg.linalg.svd({p}, full_matrices=False))"
)


def factored(g: Grower) -> str:
    x = g.pick("fc", 2, 3, lambda v: v.array.shape[-2] <= 9 and 0 < v.array.size < 300)
    scale = round(0.3 / x.array.shape[-1], 3)
    form = g.one(*FACTORS, SPECTRAL, POLAR)
    matrices = {"p": f"positive({x}, {scale})", "m": f"general({x}, {scale})"}
    return str(form.format(x=x, **matrices))


# -- Fourier transforms ------------------------------------------------------------------------


def fourier(g: Grower) -> str:
    norm = g.one("backward", "ortho", "forward")
    if g.flag():
        x = g.pick("f", 1)
        axis = g.axis(x)
        size = g.one("", "", f", n={g.chance.randint(1, 9)}")
        forms = [
            f"sg.fft.{n}({x}{size}, axis={axis}, norm='{norm}')" for n in ("rfft", "fft", "ihfft")
        ]
        if x.ndim > 1:
            forms += [f"sg.fft.rfftn({x}, axes=(-2, -1), norm='{norm}')"]
        return str(g.one(*forms))
    x = g.pick("c", 1)
    axis = g.axis(x)
    size = g.one("", "", f", n={g.chance.randint(1, 9)}")
    names = ("fft", "ifft", "irfft", "hfft")
    forms = [f"sg.fft.{n}({x}{size}, axis={axis}, norm='{norm}')" for n in names]
    forms += [f"sg.fft.fftn({x}, norm='{norm}')", f"sg.fft.ifftn({x}, norm='{norm}')"]
    if x.ndim > 1:
        forms += [f"sg.fft.irfftn({x}, s=(4, 5), axes=(-2, -1), norm='{norm}')"]
    return str(g.one(*forms))


# -- random numbers ------------------------------------------------------------------------------


def random(g: Grower) -> str:
    shape = g.one("()", "(3,)", "(2, 3)", f"sg.shape({g.pick('fciub')})")
    dtype = g.one("float32", "float64")
    parameter = g.pick("f", test=lambda v: v.level <= 1)
    weight = f"2.0 + sg.sin({parameter})"
    sized = g.one("normal", "uniform", "exponential", "truncated_normal", "laplace", "gumbel")
    return str(g.one(
        f"sg.random.{sized}({shape}, dtype='{dtype}')", f"sg.random.categorical({parameter})",
        f"sg.random.integers({shape}, 0, 7)", f"sg.random.bernoulli(sg.sigmoid({parameter}))",
        f"sg.random.poisson({weight})", f"sg.random.gamma({weight})",
        f"sg.random.beta({weight}, 1.5)", f"sg.random.permutation({parameter})",
        f"sg.random.shuffle({g.pick('iub', 1)})", f"sg.random.student_t(1.0 + {weight})",
        f"sg.random.normal({shape}, mean={g.pick('f', 0, 0)}, dtype='float64')",
        f"sg.random.dirichlet({weight})", f"sg.random.binomial(5, sg.sigmoid({parameter}))",
    ))  # fmt: skip


VOCABULARY = (
    Row(6, unary(UNARY, "f")),
    Row(2, unary(EXACT_UNARY, "f"), keeps=True),
    Row(6, binary(BINARY, "f")),
    Row(4, unary(COMPLEX_UNARY, "c")),
    Row(4, binary(COMPLEX_BINARY, "fc")),
    Row(3, decided, keeps=True),
    Row(2, compared),
    Row(3, unary(INTEGERS, "iu")),
    Row(2, binary(INTEGER_PAIRS, "iu")),
    Row(1, unary(FLAGS, "b")),
    Row(2, chosen, keeps=True),
    Row(4, reduced),
    Row(1.5, whole_reduced),
    Row(1.5, masked_sum),
    Row(1.5, places),
    Row(2, quantiles),
    Row(1.5, histogram),
    Row(4, rows),
    Row(1.5, complex_rows),
    Row(1, covariance),
    Row(2.5, sorted_floats, keeps=True),
    Row(3, ordered, keeps=True),
    Row(2, searched),
    Row(2, sets, keeps=True),
    Row(2, found),
    Row(1.5, interpolated),
    Row(2, segments),
    Row(1.5, counted),
    Row(2.5, scattered),
    Row(3, taken, keeps=True),
    Row(1.5, along, keeps=True),
    Row(1, one_hot),
    Row(7, moved, keeps=True),
    Row(2, joined, keeps=True),
    Row(4, product),
    Row(3, einsum),
    Row(2, other_products),
    Row(5, factored),
    Row(4, fourier),
    Row(3, random),
    Row(2, scan, construct=True),
    Row(1, fori_loop, construct=True),
    Row(1.5, while_loop, construct=True),
    Row(2, cond, construct=True),
    Row(1, map_fn, construct=True),
)

# What adds up in an order of its own: matrix products and factors.
PRODUCTS = (product, einsum, other_products, factored, covariance)
