"""The references: a step by hand, and every gradient by finite differences."""

import math

import numpy as np
import pytest

from kernels import reference_recurrent as reference
from kernels.activations import ACTIVATIONS

T, N, F, H = 4, 2, 3, 5


def s(x):
    return 1 / (1 + math.exp(-x))


def test_one_step_of_a_unit_by_hand():
    x, h0, c0 = np.array([[[0.5]]]), np.array([[-0.3]]), np.array([[0.8]])
    Wx, Wh, b = np.array([[0.1, 0.2, 0.3, 0.4]]), np.array([[-0.5, 0.6, 0.7, -0.8]]), np.array([0.9, -1.0, 1.1, 1.2])
    i, f, g, o = 0.05 + 0.15 + 0.9, 0.1 - 0.18 - 1.0, 0.15 - 0.21 + 1.1, 0.2 + 0.24 + 1.2
    tanh = ACTIVATIONS["tanh"]
    c = s(f) * 0.8 + s(i) * math.tanh(g)
    z, h, cells = reference.lstm_forward(tanh, x, Wx, Wh, b, h0, c0, None)
    np.testing.assert_allclose(z[0, 0], [i, f, g, o], rtol=1e-14)
    np.testing.assert_allclose([cells[1, 0, 0], h[1, 0, 0]], [c, s(o) * math.tanh(c)], rtol=1e-14)

    r, u, q = i, f, -0.21 + 1.3
    n = math.tanh(0.15 + 1.1 + s(r) * q)
    *_, h = reference.gru_forward(tanh, x, Wx[:, :3], Wh[:, :3], b[:3], np.array([1.3]), h0, None)
    np.testing.assert_allclose(h[1, 0, 0], (1 - s(u)) * n + s(u) * -0.3, rtol=1e-14)


@pytest.mark.parametrize("name", ["tanh", "softplus"])
def test_gradients_are_finite_differences(rng, check_gradient, name):
    activation = ACTIVATIONS[name]
    u, dc_last, h0, c0 = (rng.standard_normal(shape) for shape in ((T, N, H), (N, H), (N, H), (N, H)))
    x, bh = rng.standard_normal((T, N, F)), rng.standard_normal(H)

    def weights(gates):
        return [rng.standard_normal(shape) for shape in ((F, gates * H), (H, gates * H), gates * H)]

    inputs = [x, *weights(1), h0]
    *gradients, dh = reference.rnn_backward(activation, u, *inputs, None)
    pairs = zip(("x", "Wx", "Wh", "b", "h0"), inputs, [*gradients, dh[0]], strict=True)
    check_gradient(lambda: np.sum(reference.rnn_forward(activation, *inputs, None)[1][1:] * u), pairs)

    gated = [x, *weights(4), h0, c0]
    *gradients, dh, dc = reference.lstm_backward(activation, u, dc_last, *gated, None)

    def loss():
        _, h, c = reference.lstm_forward(activation, *gated, None)
        return np.sum(h[1:] * u) + np.sum(c[-1] * dc_last)

    check_gradient(loss, zip(("x", "Wx", "Wh", "b", "h0", "c0"), gated, [*gradients, dh[0], dc[0]], strict=True))

    reset = [x, *weights(3), bh, h0]
    *gradients, dh = reference.gru_backward(activation, u, *reset, None)
    pairs = zip(("x", "Wx", "Wh", "b", "bh", "h0"), reset, [*gradients, dh[0]], strict=True)
    check_gradient(lambda: np.sum(reference.gru_forward(activation, *reset, None)[2][1:] * u), pairs)
