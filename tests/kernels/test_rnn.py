import numpy as np
import pytest

from kernels import cell_loops
from kernels import reference_recurrent as reference
from kernels.activations import ACTIVATIONS
from kernels.blas import set_threads
from kernels.initializers import INITIALIZERS
from kernels.jit import max_threads
from kernels.layer import parameters
from kernels.rnn import rnn, rnn_backward, rnn_forward

SHAPES = [(1, 1, 1, 1), (4, 3, 5, 7), (9, 1, 2, 64), (3, 17, 1, 33), (5, 0, 3, 4), (2, 16, 70, 40)]  # T, N, F, H
LECUN = INITIALIZERS["lecun_normal"]


def network(rng, dtype, T, N, F, H):
    """x, Wx, Wh, b, h with its initial state, and what h and z need not be."""
    x, b = rng.standard_normal((T, N, F)).astype(dtype), rng.standard_normal(H).astype(dtype)
    Wx = (rng.standard_normal((F, H)) / np.sqrt(F)).astype(dtype)
    Wh = (rng.standard_normal((H, H)) / np.sqrt(H)).astype(dtype)
    h, z = np.full((T + 1, N, H), np.nan, dtype), np.full((T, N, H), np.nan, dtype)
    h[0] = rng.standard_normal((N, H))
    return x, Wx, Wh, b, h, z


def wide(*arrays):
    return [array.astype(np.float64) for array in arrays]


@pytest.mark.parametrize("name", ["tanh", "relu", "gelu", "elu"])
@pytest.mark.parametrize(("T", "N", "F", "H"), SHAPES)
def test_rnn_is_the_reference(rng, dtype, close, T, N, F, H, name):
    activation = ACTIVATIONS[name]
    x, Wx, Wh, b, h, z = network(rng, dtype, T, N, F, H)
    inputs = *wide(x, Wx, Wh, b, h[0]), activation.a
    rnn_forward(h, z, x, Wx, Wh, b, activation)
    expected_z, expected_h = reference.rnn_forward(activation, *inputs)
    close(z, expected_z)
    close(h, expected_h)

    dy = rng.standard_normal((T, N, H)).astype(dtype)
    outputs = [np.full_like(like, np.nan) for like in (x, Wx, Wh, b, h, z)]  # dx, dWx, dWh, db, dh, dz
    rnn_backward(*outputs, dy, x, Wx, Wh, b, h, z, activation)
    for result, expected in zip(outputs, reference.rnn_backward(activation, *wide(dy), *inputs), strict=False):
        close(result, expected)


def results(arrays, activation, dy):
    """Every output of forward and backward: dx, dWx, dWh, db, dh, dz, h and z."""
    x, Wx, Wh, b, h, z = arrays
    rnn_forward(h, z, x, Wx, Wh, b, activation)
    outputs = [np.full_like(like, np.nan) for like in arrays]
    rnn_backward(*outputs, dy, x, Wx, Wh, b, h, z, activation)
    return *outputs, h, z


@pytest.mark.parametrize("rows", range(1, 10))
def test_every_number_of_rows(rng, dtype, close, rows):
    """Rows of a batch do not know of each other: together they give what each gives by itself."""
    activation = ACTIVATIONS["tanh"]
    x, Wx, Wh, b, h, z = network(rng, dtype, 5, rows, 6, 35)
    dy = rng.standard_normal(z.shape).astype(dtype)
    together = results((x, Wx, Wh, b, h, z), activation, dy)
    apart = []
    for n in range(rows):
        one = [np.ascontiguousarray(array[:, n : n + 1]) for array in (x, h, z, dy)]
        apart.append(results((one[0], Wx, Wh, b, one[1], one[2]), activation, one[3]))
    for index in (0, 4, 5, 6, 7):
        close(together[index], np.concatenate([result[index] for result in apart], axis=1))
    for index in (1, 2, 3):
        close(together[index], np.sum([result[index] for result in apart], axis=0))


@pytest.mark.skipif(max_threads() < 2, reason="needs two CPUs")
@pytest.mark.parametrize(("T", "N", "F", "H"), [(3, 8, 5, 7), (4, 33, 20, 70), (40, 64, 48, 64), (5, 1, 3, 4)])
def test_threads_give_what_one_gives(rng, dtype, close, monkeypatch, T, N, F, H):
    monkeypatch.setattr(cell_loops, "SHARED", 0)
    *arrays, h, z = network(rng, dtype, T, N, F, H)
    dy, found = rng.standard_normal(z.shape).astype(dtype), []
    for threads in (1, 2):
        set_threads(threads)
        try:
            found.append(results((*arrays, h.copy(), np.full_like(z, np.nan)), ACTIVATIONS["tanh"], dy))
        finally:
            set_threads(1)
    for one, two in zip(*found, strict=True):
        close(two, one)


def test_long_sequences_are_taken_up_piece_by_piece(rng, dtype, close):
    """More steps than stay in the cache at a time, the last piece not full."""
    activation, T = ACTIVATIONS["tanh"], 2 * cell_loops.block_steps(16) + 3
    x, Wx, Wh, b, h, z = network(rng, dtype, T, 16, 12, 20)
    dy = rng.standard_normal(z.shape).astype(dtype) / T
    found = results((x, Wx, Wh, b, h, z), activation, dy)
    inputs = *wide(x, Wx, Wh, b, h[0]), activation.a
    for result, expected in zip(found, reference.rnn_backward(activation, *wide(dy), *inputs), strict=False):
        close(result, expected)


@pytest.mark.parametrize("name", ["tanh", "softplus", "prelu"])
def test_gradients_are_finite_differences(rng, check_gradient, name):
    layer = rnn(ACTIVATIONS[name], LECUN, 5)
    state = layer.init(rng, (6, 3, 4), np.dtype(np.float64))
    state.saved["h"][0] = rng.standard_normal((3, 5))
    x, u = rng.standard_normal((6, 3, 4)), rng.standard_normal((6, 3, 5))
    layer.forward(state, x)
    dx = layer.backward(state, u)
    pairs = [*parameters(state), ("x", x, dx), ("h0", state.saved["h"][0], state.saved["dh"][0])]
    assert [name for name, _, _ in pairs][:3] == ["Wx", "Wh", "b"]
    check_gradient(lambda: np.sum(layer.forward(state, x) * u), pairs)


def test_gradient_at_every_step_is_that_of_the_rest_of_the_sequence(rng):
    """dh[t] does not depend on what came before step t: a network over x[t:] from h[t] has it as its dh[0]."""
    T, N, F, H, t = 7, 2, 3, 4, 3
    activation = ACTIVATIONS["tanh"]
    x, Wx, Wh, b, h, z = network(rng, np.float64, T, N, F, H)
    dy = np.zeros((T, N, H))
    dy[-1] = rng.standard_normal((N, H))

    def gradients(x, h, z, dy):
        outputs = [np.full_like(like, np.nan) for like in (x, Wx, Wh, b, h, z)]
        rnn_backward(*outputs, dy, x, Wx, Wh, b, h, z, activation)
        return outputs[4]

    rnn_forward(h, z, x, Wx, Wh, b, activation)
    whole = gradients(x, h, z, dy)
    np.testing.assert_allclose(whole[t:], gradients(x[t:], h[t:], z[t:], dy[t:]), rtol=1e-14)
    np.testing.assert_array_equal(whole[-1], dy[-1])


def test_the_input_weights_are_drawn_by_their_own_fan_in(rng):
    state = rnn(ACTIVATIONS["tanh"], LECUN, 100).init(rng, (2, 1, 400), np.dtype("f8"))
    assert state.params["Wx"].std() == pytest.approx(1 / 20, rel=0.02)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"x": np.zeros((5, 2, 3))}, ValueError, r"h must have shape \(6, 2, any\), got \(5, 2, 6\)"),
        ({"x": np.zeros((0, 2, 3))}, ValueError, r"x must have at least one time step, got \(0, 2, 3\)"),
        ({"x": np.zeros((4, 2, 3), np.float16)}, TypeError, "x must be float32 or float64, got float16"),
        ({"z": np.zeros((4, 2, 5))}, ValueError, r"z must have shape \(4, 2, 6\), got \(4, 2, 5\)"),
        ({"Wh": np.zeros((6, 5))}, ValueError, r"Wh must have shape \(6, 6\), got \(6, 5\)"),
        ({"Wx": np.zeros((3, 6), np.float32)}, TypeError, "Wx must be float64, got float32"),
        ({"a": np.zeros(2)}, ValueError, r"a must have shape \(6\), got \(2,\)"),
    ],
)
def test_rnn_forward_names_the_wrong_argument(change, error, message):
    arguments = {
        "h": np.zeros((5, 2, 6)),
        "z": np.zeros((4, 2, 6)),
        "x": np.zeros((4, 2, 3)),
        "Wx": np.zeros((3, 6)),
        "Wh": np.zeros((6, 6)),
        "b": np.zeros(6),
        "activation": ACTIVATIONS["prelu"],
    }
    with pytest.raises(error, match=message):
        rnn_forward(**arguments | change)


def test_no_output_may_share_memory_with_the_parameter(rng):
    x, Wx, Wh, b, h, z = network(rng, np.float64, 4, 2, 3, 6)
    activation = ACTIVATIONS["prelu"]
    with pytest.raises(ValueError, match="z must not share memory with a"):
        rnn_forward(h, z, x, Wx, Wh, b, activation, z[0, 0])
    with pytest.raises(ValueError, match="h must not share memory with a"):
        rnn_forward(h, z, x, Wx, Wh, b, activation, h[0, 0])
    outputs = {"dx": x, "dWx": Wx, "dWh": Wh, "db": b, "dh": h, "dz": z}
    outputs = {name: np.zeros_like(like) for name, like in outputs.items()}
    for name, output in outputs.items():
        a = output.reshape(-1)[:6]
        with pytest.raises(ValueError, match=f"{name} must not share memory with a"):
            rnn_backward(*outputs.values(), np.zeros_like(z), x, Wx, Wh, b, h, z, activation, a)


@pytest.mark.parametrize("index", range(6))
def test_rnn_backward_names_the_output_it_cannot_write(rng, index):
    x, Wx, Wh, b, h, z = network(rng, np.float64, 4, 2, 3, 6)
    names = ["dx", "dWx", "dWh", "db", "dh", "dz"]
    outputs = [np.zeros_like(like) for like in (x, Wx, Wh, b, h, z)]
    outputs[index].flags.writeable = False
    with pytest.raises(ValueError, match=f"{names[index]} is read-only"):
        rnn_backward(*outputs, np.zeros_like(z), x, Wx, Wh, b, h, z, ACTIVATIONS["tanh"])
    outputs[index] = np.zeros((1, 1))
    with pytest.raises(ValueError, match=f"{names[index]} must have shape"):
        rnn_backward(*outputs, np.zeros_like(z), x, Wx, Wh, b, h, z, ACTIVATIONS["tanh"])


def test_what_is_no_activation_or_takes_no_parameter_is_refused(rng):
    h, z, x = np.zeros((3, 1, 4)), np.zeros((2, 1, 4)), np.zeros((2, 1, 5))
    weights = np.zeros((5, 4)), np.zeros((4, 4)), np.zeros(4)
    with pytest.raises(TypeError, match=r"^activation must be a row of ACTIVATIONS, got str"):
        rnn_forward(h, z, x, *weights, "tanh")
    with pytest.raises(ValueError, match=r"^a is given, but tanh takes no parameter"):
        rnn_forward(h, z, x, *weights, ACTIVATIONS["tanh"], np.ones(4))
