"""The parameter of a row: a number or one per channel, its gradient, users' mistakes with both."""

import numpy as np
import pytest

from kernels.activations import ACTIVATIONS


@pytest.mark.parametrize("shape", [(4, 5, 1), (4, 5, 3), (2, 64), (3,), (3, 0), (0, 3)])
def test_prelu_has_one_slope_per_channel_and_its_gradient(dtype, rng, close, shape):
    row, channels = ACTIVATIONS["prelu"], shape[-1]
    x, dy = (rng.standard_normal(shape).astype(dtype) for _ in range(2))
    a = rng.uniform(0.1, 0.9, channels).astype(dtype)
    y, dx, y2, dx2 = (np.full_like(x, np.nan) for _ in range(4))
    da = np.full_like(a, np.nan)
    row.forward(y, x, a)
    row.backward(dx, dy, x, y, a, da)
    row.forward_backward(y2, dx2, dy, x, a)
    exact = x.astype(np.float64)
    value, slope = row.reference(exact, a), dy * row.reference_derivative(exact, a)
    for result, truth in ((y, value), (dx, slope), (y2, value), (dx2, slope)):
        close(result, truth)
    close(da, np.sum(dy * row.reference_df_da(exact, a), axis=tuple(range(x.ndim - 1))))


@pytest.mark.parametrize("shape", [(), (1,)])
@pytest.mark.parametrize("name", ["prelu", "swish"])
def test_the_gradient_of_a_single_parameter(name, shape, dtype, rng, close):
    row = ACTIVATIONS[name]
    x, dy = (rng.standard_normal((6, 7)).astype(dtype) for _ in range(2))
    y, dx, da = np.empty_like(x), dy.copy(), np.full(shape, np.nan, dtype)
    row.forward(y, x, 0.3)
    row.backward(dx, dx, x, y, np.full(shape, 0.3, dtype), da)
    close(da, np.full(shape, np.sum(dy * row.reference_df_da(x.astype(np.float64), float(dtype.type(0.3))))))


@pytest.mark.parametrize("channels", [None, 1, 3, 1000])
@pytest.mark.parametrize("name", ["prelu", "swish"])
def test_the_parameters_gradient_keeps_what_float32_sums_would_lose(rng, name, channels):
    """10^6 terms of one sign, far from even: a float32 running sum is off by 10^-5 and more."""
    row = ACTIVATIONS[name]
    x = -rng.exponential(size=(999_999 // (channels or 1), channels or 1)).astype(np.float32)
    dy = rng.uniform(0.5, 1, x.shape).astype(np.float32)
    a = row.a if channels is None else rng.uniform(0.2, 0.9, channels).astype(np.float32)
    y, dx, da = np.empty_like(x), np.empty_like(x), np.full(channels or (), np.nan, np.float32)
    row.forward(y, x, a)
    row.backward(dx, dy, x, y, a, da)
    terms = dy * row.reference_df_da(x.astype(np.float64), np.asarray(a, np.float64))
    np.testing.assert_allclose(da, terms.sum(axis=0 if channels else None), rtol=3e-7)


@pytest.mark.parametrize("n", [0, 1, 63, 64, 65, 200])
def test_the_gradient_of_a_single_parameter_of_any_length(n, dtype, rng, close):
    row, x, dy = ACTIVATIONS["prelu"], *rng.standard_normal((2, n)).astype(dtype)
    dx, da = np.empty_like(x), np.full((), np.nan, dtype)
    row.backward(dx, dy, x, x, None, da)
    close(da, np.sum(dy * row.reference_df_da(x.astype(np.float64), 0.25)))


def test_mistakes_with_the_parameter():
    x = np.zeros((3, 5))
    prelu, tanh = ACTIVATIONS["prelu"], ACTIVATIONS["tanh"]
    with pytest.raises(ValueError, match="takes no parameter a"):
        tanh.forward(x.copy(), x, 0.5)
    with pytest.raises(ValueError, match=r"^a must have shape \(5\)"):
        prelu.forward(x.copy(), x, np.zeros(3))
    with pytest.raises(TypeError, match=r"^a must be float64"):
        prelu.forward(x.copy(), x, np.zeros(5, np.float32))
    with pytest.raises(ValueError, match="no learnable parameter"):
        tanh.backward(x.copy(), x, x, x, None, np.zeros(()))
    with pytest.raises(ValueError, match=r"^da must have shape"):
        prelu.backward(x.copy(), x, x, x, np.zeros(5), np.zeros(3))


NOT_PARAMETERS = [[0.5] * 20, [0.5] * 3, [0.5], (0.5,), [[0.5] * 3] * 2, "0.5", True, 1j, np.array(True), np.array("1")]


@pytest.mark.parametrize("a", NOT_PARAMETERS, ids=repr)
def test_what_is_no_number_is_no_parameter(a):
    x, y = np.full((2, 3), -1.0), np.full((2, 3), 7.0)
    for call in (
        lambda: ACTIVATIONS["prelu"].forward(y, x, a),
        lambda: ACTIVATIONS["prelu"].backward(y, x, x, x, a),
        lambda: ACTIVATIONS["prelu"].forward_backward(y, y.copy(), x, x, a),
        lambda: ACTIVATIONS["elu"].backward_from_output(y, x, x, a),
    ):
        with pytest.raises(TypeError, match=r"^a must be a number or a numpy\.ndarray of one per channel"):
            call()
    np.testing.assert_array_equal(y, 7.0)


@pytest.mark.parametrize("a", [1, np.float32(0.5), np.int64(2), np.float16(0.5), np.full((), 0.5), np.full((1,), 2)])
def test_every_kind_of_number_is_a_parameter(a):
    x, y = np.full((2, 3), -1.0), np.empty((2, 3))
    ACTIVATIONS["prelu"].forward(y, x, a)
    np.testing.assert_array_equal(y, -float(np.ravel(a)[0]))


def overlapping():
    """(method, arguments that share memory, the message): of x (2, 3) and a or da of three numbers or one."""
    whole = np.linspace(-1, 1, 20)
    x, other, a = np.full((2, 3), -1.0), np.full((2, 3), -1.0), np.full(3, 0.5)
    out, inside = whole[:6].reshape(2, 3), whole[5:8]
    shifted = whole[1:7].reshape(2, 3)
    backward = {"dx": other.copy(), "dy": x, "x": x, "y": x, "a": a, "da": np.zeros(3)}
    return whole, [
        ("forward", {"y": out, "x": x, "a": inside}, "y must not share memory with a"),
        ("backward", backward | {"dx": out, "a": inside}, "dx must not share memory with a"),
        ("forward_backward", {"y": out, "dx": other, "dy": x, "x": x, "a": inside}, "y must not share memory with a"),
        ("forward_backward", {"y": other, "dx": out, "dy": x, "x": x, "a": inside}, "dx must not share memory with a"),
        *(
            ("backward", backward | {name: out, "da": inside}, f"da must not share memory with {name}")
            for name in ("dx", "dy", "x", "y")
        ),
        ("backward", backward | {"a": inside, "da": inside}, "da must not share memory with a"),
        ("backward", backward | {"a": whole[:1], "da": whole[:1]}, "da must not share memory with a"),
        *(
            ("backward", backward | {"dx": out, name: shifted, "da": whole[10:13]}, "dx must be .* or not overlap it")
            for name in ("dy", "x", "y")
        ),
    ]


@pytest.mark.parametrize("case", range(len(overlapping()[1])))
def test_overlap_with_the_parameter_or_its_gradient_is_refused_and_nothing_is_written(case):
    whole, cases = overlapping()
    before = whole.copy()
    method, arguments, message = cases[case]
    with pytest.raises(ValueError, match=f"^{message}"):
        getattr(ACTIVATIONS["prelu"], method)(**arguments)
    np.testing.assert_array_equal(whole, before)


def test_nothing_is_written_to_da_where_dx_is_refused():
    x, dx, da = np.full(5, -1.0), np.zeros(5), np.full((), 7.0)
    dx.flags.writeable = False
    with pytest.raises(ValueError, match=r"^dx is read-only"):
        ACTIVATIONS["prelu"].backward(dx, x, x, x, None, da)
    assert da == 7.0
