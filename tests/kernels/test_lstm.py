import numpy as np
import pytest

from kernels import reference_recurrent as reference
from kernels.activations import ACTIVATIONS
from kernels.initializers import INITIALIZERS
from kernels.layer import parameters
from kernels.lstm import lstm, lstm_backward, lstm_forward

SHAPES = [(1, 1, 1, 1), (4, 3, 5, 7), (9, 1, 2, 64), (3, 17, 1, 33), (5, 0, 3, 4)]  # T, N, F, H
LECUN = INITIALIZERS["lecun_normal"]
TANH = ACTIVATIONS["tanh"]


def network(rng, dtype, T, N, F, H):
    """x, Wx, Wh, b, and h, c with their initial states, gates with nothing yet."""
    x, b = rng.standard_normal((T, N, F)).astype(dtype), rng.standard_normal(4 * H).astype(dtype)
    Wx = (rng.standard_normal((F, 4 * H)) / np.sqrt(F)).astype(dtype)
    Wh = (rng.standard_normal((H, 4 * H)) / np.sqrt(H)).astype(dtype)
    h, c, gates = (np.full(shape, np.nan, dtype) for shape in ((T + 1, N, H), (T + 1, N, H), (T, N, 4 * H)))
    h[0], c[0] = rng.standard_normal((2, N, H))
    return x, Wx, Wh, b, h, c, gates


def empty_gradients(*arrays):
    """Room for dx, dWx, dWh, db, dh, dc."""
    return [np.full_like(like, np.nan) for like in arrays]


def wide(*arrays):
    return [array.astype(np.float64) for array in arrays]


@pytest.mark.parametrize("name", ["tanh", "relu", "gelu", "elu"])
@pytest.mark.parametrize(("T", "N", "F", "H"), SHAPES)
def test_lstm_is_the_reference(rng, dtype, close, T, N, F, H, name):
    activation = ACTIVATIONS[name]
    x, Wx, Wh, b, h, c, gates = network(rng, dtype, T, N, F, H)
    inputs = *wide(x, Wx, Wh, b, h[0], c[0]), activation.a
    lstm_forward(h, c, gates, x, Wx, Wh, b, activation)
    z, expected_h, expected_c = reference.lstm_forward(activation, *inputs)
    close(h, expected_h)
    close(c, expected_c)
    close(gates[..., 2 * H : 3 * H], z[..., 2 * H : 3 * H])

    dy, dc_last = rng.standard_normal((T, N, H)).astype(dtype), rng.standard_normal((N, H)).astype(dtype)
    expected = reference.lstm_backward(activation, *wide(dy, dc_last), *inputs)
    outputs = empty_gradients(x, Wx, Wh, b, h, c)
    lstm_backward(*outputs, dy, dc_last, x, Wx, Wh, b, h, c, gates, activation)
    for result, wanted in zip(outputs, expected, strict=True):
        close(result, wanted)


@pytest.mark.parametrize("name", ["tanh", "softplus", "prelu"])
def test_gradients_are_finite_differences(rng, check_gradient, name):
    layer = lstm(ACTIVATIONS[name], LECUN, 5)
    state = layer.init(rng, (6, 3, 4), np.dtype(np.float64))
    saved = state.saved
    saved["h"][0], saved["c"][0], saved["dc_last"][:] = rng.standard_normal((3, 3, 5))
    x, u = rng.standard_normal((6, 3, 4)), rng.standard_normal((6, 3, 5))
    layer.forward(state, x)
    dx = layer.backward(state, u)
    initial = ("h0", saved["h"][0], saved["dh"][0]), ("c0", saved["c"][0], saved["dc"][0])
    pairs = [*parameters(state), ("x", x, dx), *initial]
    assert [name for name, _, _ in pairs][:3] == ["Wx", "Wh", "b"]

    def loss():
        return np.sum(layer.forward(state, x) * u) + np.sum(saved["c"][-1] * saved["dc_last"])

    check_gradient(loss, pairs)


def test_gradient_at_every_step_is_that_of_the_rest_of_the_sequence(rng):
    """dh[t] does not depend on what came before: a network over x[t:] from h[t], c[t] has it as its dh[0].

    There h[t] and c[t] are independent, but dc[t] of the whole includes what reaches c[t] by way of h[t].
    """
    T, N, F, H, t = 7, 2, 3, 4, 3
    x, Wx, Wh, b, h, c, gates = network(rng, np.float64, T, N, F, H)
    dy, dc_last = np.zeros((T, N, H)), rng.standard_normal((N, H))
    dy[-1] = rng.standard_normal((N, H))

    def gradients(x, h, c, gates, dy):
        outputs = empty_gradients(x, Wx, Wh, b, h, c)
        lstm_backward(*outputs, dy, dc_last, x, Wx, Wh, b, h, c, gates, TANH)
        return outputs[4:6]

    lstm_forward(h, c, gates, x, Wx, Wh, b, TANH)
    dh, dc = gradients(x, h, c, gates, dy)
    rest_dh, rest_dc = gradients(x[t:], h[t:], c[t:], gates[t:], dy[t:])
    np.testing.assert_allclose(dh[t:], rest_dh, rtol=1e-14)
    np.testing.assert_allclose(dc[t + 1 :], rest_dc[1:], rtol=1e-14)
    shown = h[t] / np.tanh(c[t]) * (1 - np.tanh(c[t]) ** 2)
    np.testing.assert_allclose(dc[t], rest_dc[0] + dh[t] * shown, rtol=1e-12)
    np.testing.assert_array_equal(dh[-1], dy[-1])


def test_saturated_gates_keep_their_gradients(rng, dtype):
    """sigmoid' is near 1e-13 at -30 and at 30, where s (1 - s) from the gate alone is 0 or wrong."""
    H, size = 4, {"float32": 30.0, "float64": 50.0}[str(dtype)]
    for sign in (-1.0, 1.0):
        x, Wx, Wh, b, h, c, gates = network(rng, dtype, 1, 2, 3, H)
        b[: 2 * H], b[3 * H :] = sign * size, sign * size
        lstm_forward(h, c, gates, x, Wx, Wh, b, TANH)
        dy = np.ones((1, 2, H), dtype)
        outputs = empty_gradients(x, Wx, Wh, b, h, c)
        lstm_backward(*outputs, dy, np.ones((2, H), dtype), x, Wx, Wh, b, h, c, gates, TANH)
        inputs = *wide(x, Wx, Wh, b, h[0], c[0]), None
        expected = reference.lstm_backward(TANH, *wide(dy, np.ones((2, H))), *inputs)
        assert 0 < np.abs(expected[3][:H]).max() < 1e-10
        np.testing.assert_allclose(outputs[3], expected[3], rtol=2e-4 if dtype == np.float32 else 1e-12)


def test_a_gate_beyond_the_range_of_exp_is_shut_or_open(dtype):
    H, N, T = 3, 1, 2
    x, Wx, Wh = np.ones((T, N, 1), dtype), np.zeros((1, 4 * H), dtype), np.zeros((H, 4 * H), dtype)
    h, c, gates = (np.full(shape, np.nan, dtype) for shape in ((T + 1, N, H), (T + 1, N, H), (T, N, 4 * H)))
    h[0], c[0] = 0, 0.5
    b = np.repeat(np.array([-2000, 2000, 1, 2000], dtype), H)  # nothing enters, all is kept and shown
    lstm_forward(h, c, gates, x, Wx, Wh, b, ACTIVATIONS["identity"])
    np.testing.assert_array_equal(c, np.full_like(c, 0.5))
    np.testing.assert_array_equal(h[1:], np.full_like(h[1:], 0.5))
    outputs = empty_gradients(x, Wx, Wh, b, h, c)
    dy = np.ones((T, N, H), dtype)
    lstm_backward(*outputs, dy, np.zeros((N, H), dtype), x, Wx, Wh, b, h, c, gates, ACTIVATIONS["identity"])
    np.testing.assert_array_equal(outputs[5][:, 0, 0], [2, 2, 1])
    np.testing.assert_array_equal(outputs[3], np.zeros_like(b))


ARGUMENTS = {
    "h": np.zeros((5, 2, 6)),
    "c": np.zeros((5, 2, 6)),
    "gates": np.zeros((4, 2, 24)),
    "x": np.zeros((4, 2, 3)),
    "Wx": np.zeros((3, 24)),
    "Wh": np.zeros((6, 24)),
    "b": np.zeros(24),
    "activation": ACTIVATIONS["prelu"],
}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"x": np.zeros((5, 2, 3))}, ValueError, r"h must have shape \(6, 2, any\), got \(5, 2, 6\)"),
        ({"x": np.zeros((0, 2, 3))}, ValueError, r"x must have at least one time step, got \(0, 2, 3\)"),
        ({"c": np.zeros((4, 2, 6))}, ValueError, r"c must have shape \(5, 2, 6\), got \(4, 2, 6\)"),
        ({"gates": np.zeros((4, 2, 6))}, ValueError, r"gates must have shape \(4, 2, 24\), got \(4, 2, 6\)"),
        ({"Wh": np.zeros((6, 6))}, ValueError, r"Wh must have shape \(6, 24\), got \(6, 6\)"),
        ({"Wx": np.zeros((3, 24), np.float32)}, TypeError, "Wx must be float64, got float32"),
        ({"b": np.zeros(6)}, ValueError, r"b must have shape \(24\), got \(6,\)"),
        ({"a": np.zeros(2)}, ValueError, r"a must have shape \(6\), got \(2,\)"),
        ({"c": ARGUMENTS["h"]}, ValueError, "h must not share memory with c"),
        ({"activation": "tanh"}, TypeError, "activation must be a row of ACTIVATIONS, got str"),
        ({"activation": TANH, "a": np.zeros(6)}, ValueError, "a is given, but tanh takes no parameter"),
    ],
)
def test_lstm_forward_names_the_wrong_argument(change, error, message):
    with pytest.raises(error, match=message):
        lstm_forward(**ARGUMENTS | change)


@pytest.mark.parametrize("index", range(6))
def test_lstm_backward_names_the_output_it_cannot_write(rng, index):
    x, Wx, Wh, b, h, c, gates = network(rng, np.float64, 4, 2, 3, 6)
    a = np.zeros(6)
    inputs = np.zeros_like(h[1:]), np.zeros((2, 6)), x, Wx, Wh, b, h, c, gates, ACTIVATIONS["prelu"], a
    name = ["dx", "dWx", "dWh", "db", "dh", "dc"][index]
    outputs = empty_gradients(x, Wx, Wh, b, h, c)
    outputs[index].flags.writeable = False
    with pytest.raises(ValueError, match=f"{name} is read-only"):
        lstm_backward(*outputs, *inputs)
    outputs[index] = np.zeros((1, 1))
    with pytest.raises(ValueError, match=f"{name} must have shape"):
        lstm_backward(*outputs, *inputs)
    outputs = empty_gradients(x, Wx, Wh, b, h, c)
    with pytest.raises(ValueError, match=f"{name} must not share memory with a"):
        lstm_backward(*outputs, *inputs[:-1], outputs[index].reshape(-1)[:6])
