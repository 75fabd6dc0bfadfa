import numpy as np
import pytest

from kernels import reference_recurrent as reference
from kernels.activations import ACTIVATIONS
from kernels.gru import gru, gru_backward, gru_forward
from kernels.initializers import INITIALIZERS
from kernels.layer import parameters

SHAPES = [(1, 1, 1, 1), (4, 3, 5, 7), (9, 1, 2, 64), (3, 17, 1, 33), (5, 0, 3, 4)]  # T, N, F, H
LECUN = INITIALIZERS["lecun_normal"]
TANH = ACTIVATIONS["tanh"]


def network(rng, dtype, T, N, F, H):
    """(x, Wx, Wh, b, bh), and h with its initial state, gates, q with nothing yet."""
    x, b, bh = (rng.standard_normal(shape).astype(dtype) for shape in ((T, N, F), 3 * H, H))
    Wx = (rng.standard_normal((F, 3 * H)) / np.sqrt(F)).astype(dtype)
    Wh = (rng.standard_normal((H, 3 * H)) / np.sqrt(H)).astype(dtype)
    h, gates, q = (np.full(shape, np.nan, dtype) for shape in ((T + 1, N, H), (T, N, 3 * H), (T, N, H)))
    h[0] = rng.standard_normal((N, H))
    return (x, Wx, Wh, b, bh), (h, gates, q)


def empty_gradients(*arrays):
    """Room for dx, dWx, dWh, db, dbh, dh."""
    return [np.full_like(like, np.nan) for like in arrays]


def wide(*arrays):
    return [array.astype(np.float64) for array in arrays]


@pytest.mark.parametrize("name", ["tanh", "relu", "gelu", "elu"])
@pytest.mark.parametrize(("T", "N", "F", "H"), SHAPES)
def test_gru_is_the_reference(rng, dtype, close, T, N, F, H, name):
    activation = ACTIVATIONS[name]
    weights, (h, gates, q) = network(rng, dtype, T, N, F, H)
    inputs = *wide(*weights, h[0]), activation.a
    gru_forward(h, gates, q, *weights, activation)
    points, expected_q, expected_h = reference.gru_forward(activation, *inputs)
    close(h, expected_h)
    close(q, expected_q)
    close(gates[..., 2 * H :], points[..., 2 * H :])

    dy = rng.standard_normal((T, N, H)).astype(dtype)
    expected = reference.gru_backward(activation, *wide(dy), *inputs)
    outputs = empty_gradients(*weights, h)
    gru_backward(*outputs, dy, *weights, h, gates, q, activation)
    for result, wanted in zip(outputs, expected, strict=True):
        close(result, wanted)


@pytest.mark.parametrize("name", ["tanh", "softplus", "prelu"])
def test_gradients_are_finite_differences(rng, check_gradient, name):
    layer = gru(ACTIVATIONS[name], LECUN, 5)
    state = layer.init(rng, (6, 3, 4), np.dtype(np.float64))
    state.saved["h"][0] = rng.standard_normal((3, 5))
    state.params["bh"][:] = rng.standard_normal(5)
    x, u = rng.standard_normal((6, 3, 4)), rng.standard_normal((6, 3, 5))
    layer.forward(state, x)
    dx = layer.backward(state, u)
    pairs = [*parameters(state), ("x", x, dx), ("h0", state.saved["h"][0], state.saved["dh"][0])]
    assert [name for name, _, _ in pairs][:4] == ["Wx", "Wh", "b", "bh"]
    check_gradient(lambda: np.sum(layer.forward(state, x) * u), pairs)


def test_gradient_at_every_step_is_that_of_the_rest_of_the_sequence(rng):
    """dh[t] does not depend on what came before step t: a network over x[t:] from h[t] has it as its dh[0]."""
    T, N, F, H, t = 7, 2, 3, 4, 3
    (x, *weights), (h, gates, q) = network(rng, np.float64, T, N, F, H)
    dy = np.zeros((T, N, H))
    dy[-1] = rng.standard_normal((N, H))

    def gradients(x, h, gates, q, dy):
        outputs = empty_gradients(x, *weights, h)
        gru_backward(*outputs, dy, x, *weights, h, gates, q, TANH)
        return outputs[5]

    gru_forward(h, gates, q, x, *weights, TANH)
    whole = gradients(x, h, gates, q, dy)
    np.testing.assert_allclose(whole[t:], gradients(x[t:], h[t:], gates[t:], q[t:], dy[t:]), rtol=1e-14)
    np.testing.assert_array_equal(whole[-1], dy[-1])


def test_saturated_gates_keep_their_gradients(rng, dtype):
    """sigmoid' is near 1e-13 at -30 and at 30, where s (1 - s) from the gate alone is 0 or wrong."""
    H, size = 4, {"float32": 30.0, "float64": 50.0}[str(dtype)]
    for sign in (-1.0, 1.0):
        weights, (h, gates, q) = network(rng, dtype, 1, 2, 3, H)
        weights[3][: 2 * H] = sign * size
        gru_forward(h, gates, q, *weights, TANH)
        dy, outputs = np.ones((1, 2, H), dtype), empty_gradients(*weights, h)
        gru_backward(*outputs, dy, *weights, h, gates, q, TANH)
        expected = reference.gru_backward(TANH, *wide(dy), *wide(*weights, h[0]), None)
        assert 0 < np.abs(expected[3][: 2 * H]).max() < 1e-10
        np.testing.assert_allclose(outputs[3], expected[3], rtol=2e-4 if dtype == np.float32 else 1e-12)


def test_a_gate_beyond_the_range_of_exp_is_shut_or_open(dtype):
    """r shut, z open: nothing of the state comes to n, and the state stays as it is."""
    T, N, H = 2, 1, 3
    weights, (h, gates, q) = network(np.random.default_rng(0), dtype, T, N, 1, H)
    for W in weights[1:3]:
        W[:] = 0
    weights[3][:], weights[4][:] = np.repeat([-2000, 2000, 1], H), 7
    h[0] = 0.5
    gru_forward(h, gates, q, *weights, ACTIVATIONS["identity"])
    np.testing.assert_array_equal(gates[..., 2 * H :], np.ones((T, N, H)))
    np.testing.assert_array_equal(h, np.full_like(h, 0.5))
    outputs = empty_gradients(*weights, h)
    gru_backward(*outputs, np.ones((T, N, H), dtype), *weights, h, gates, q, ACTIVATIONS["identity"])
    np.testing.assert_array_equal(outputs[5][:, 0, 0], [2, 2, 1])
    np.testing.assert_array_equal(outputs[3], np.zeros(3 * H))


ARGUMENTS = {
    "h": np.zeros((5, 2, 6)),
    "gates": np.zeros((4, 2, 18)),
    "q": np.zeros((4, 2, 6)),
    "x": np.zeros((4, 2, 3)),
    "Wx": np.zeros((3, 18)),
    "Wh": np.zeros((6, 18)),
    "b": np.zeros(18),
    "bh": np.zeros(6),
    "activation": ACTIVATIONS["prelu"],
}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"x": np.zeros((5, 2, 3))}, ValueError, r"h must have shape \(6, 2, any\), got \(5, 2, 6\)"),
        ({"x": np.zeros((0, 2, 3))}, ValueError, r"x must have at least one time step, got \(0, 2, 3\)"),
        ({"gates": np.zeros((4, 2, 6))}, ValueError, r"gates must have shape \(4, 2, 18\), got \(4, 2, 6\)"),
        ({"q": np.zeros((4, 2, 5))}, ValueError, r"q must have shape \(4, 2, 6\), got \(4, 2, 5\)"),
        ({"Wh": np.zeros((6, 6))}, ValueError, r"Wh must have shape \(6, 18\), got \(6, 6\)"),
        ({"Wx": np.zeros((3, 18), np.float32)}, TypeError, "Wx must be float64, got float32"),
        ({"b": np.zeros(6)}, ValueError, r"b must have shape \(18\), got \(6,\)"),
        ({"bh": np.zeros(18)}, ValueError, r"bh must have shape \(6\), got \(18,\)"),
        ({"a": np.zeros(2)}, ValueError, r"a must have shape \(6\), got \(2,\)"),
        ({"activation": "tanh"}, TypeError, "activation must be a row of ACTIVATIONS, got str"),
        ({"activation": TANH, "a": np.zeros(6)}, ValueError, "a is given, but tanh takes no parameter"),
    ],
)
def test_gru_forward_names_the_wrong_argument(change, error, message):
    with pytest.raises(error, match=message):
        gru_forward(**ARGUMENTS | change)


@pytest.mark.parametrize("index", range(6))
def test_gru_backward_names_the_output_it_cannot_write(rng, index):
    weights, (h, gates, q) = network(rng, np.float64, 4, 2, 3, 6)
    inputs = np.zeros_like(q), *weights, h, gates, q, ACTIVATIONS["prelu"], np.zeros(6)
    name = ["dx", "dWx", "dWh", "db", "dbh", "dh"][index]
    outputs = empty_gradients(*weights, h)
    outputs[index].flags.writeable = False
    with pytest.raises(ValueError, match=f"{name} is read-only"):
        gru_backward(*outputs, *inputs)
    outputs[index] = np.zeros((1, 1))
    with pytest.raises(ValueError, match=f"{name} must have shape"):
        gru_backward(*outputs, *inputs)
    outputs = empty_gradients(*weights, h)
    with pytest.raises(ValueError, match=f"{name} must not share memory with a"):
        gru_backward(*outputs, *inputs[:-1], outputs[index].reshape(-1)[:6])
