"""The oracle of the recurrent layers: naive float64 NumPy, one step after the other. Shares no code with the kernels.

activation is a row of ACTIVATIONS, of which only the float64 references are used.
"""

from typing import Any

import numpy as np
from scipy.special import expit

Array = np.ndarray[Any, Any]


def rnn_forward(activation: Any, x: Array, Wx: Array, Wh: Array, b: Array, h0: Array, a: Any) -> tuple[Array, Array]:
    """z (T, N, H) and h (T + 1, N, H), step by step."""
    h, z = [h0], []
    for t in range(len(x)):
        z.append(x[t] @ Wx + h[t] @ Wh + b)
        h.append(activation.reference(z[t], a))
    return np.array(z), np.array(h)


def rnn_backward(
    activation: Any, dy: Array, x: Array, Wx: Array, Wh: Array, b: Array, h0: Array, a: Any
) -> tuple[Array, Array, Array, Array, Array]:
    """dx, dWx, dWh, db and dh (T + 1, N, H), step by step."""
    z, h = rnn_forward(activation, x, Wx, Wh, b, h0, a)
    dx, dh = np.zeros_like(x), np.zeros_like(h)
    dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
    for t in reversed(range(len(x))):
        dh[t + 1] += dy[t]
        dz = dh[t + 1] * activation.reference_derivative(z[t], a)
        dx[t], dh[t] = dz @ Wx.T, dz @ Wh.T
        dWx += x[t].T @ dz
        dWh += h[t].T @ dz
        db += dz.sum(axis=0)
    return dx, dWx, dWh, db, dh


def lstm_forward(
    activation: Any, x: Array, Wx: Array, Wh: Array, b: Array, h0: Array, c0: Array, a: Any
) -> tuple[Array, Array, Array]:
    """Pre-activations z (T, N, 4H) in the order i, f, g, o, h and c (T + 1, N, H), step by step."""
    h, c, z = [h0], [c0], []
    for t in range(len(x)):
        z.append(x[t] @ Wx + h[t] @ Wh + b)
        i, f, g, o = np.split(z[t], 4, axis=-1)
        c.append(expit(f) * c[t] + expit(i) * activation.reference(g, a))
        h.append(expit(o) * activation.reference(c[t + 1], a))
    return np.array(z), np.array(h), np.array(c)


def lstm_backward(
    activation: Any,
    dy: Array,
    dc_last: Array,
    x: Array,
    Wx: Array,
    Wh: Array,
    b: Array,
    h0: Array,
    c0: Array,
    a: Any,
) -> tuple[Array, ...]:
    """dx, dWx, dWh, db, dh and dc (T + 1, N, H), step by step."""
    z, h, c = lstm_forward(activation, x, Wx, Wh, b, h0, c0, a)
    dx, dh, dc = np.zeros_like(x), np.zeros_like(h), np.zeros_like(c)
    dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
    dc[-1] = dc_last
    for t in reversed(range(len(x))):
        i, f, g, o = np.split(z[t], 4, axis=-1)
        dh[t + 1] += dy[t]
        dc[t + 1] += dh[t + 1] * expit(o) * activation.reference_derivative(c[t + 1], a)
        dz = np.concatenate(
            [
                dc[t + 1] * activation.reference(g, a) * gate_slope(i),
                dc[t + 1] * c[t] * gate_slope(f),
                dc[t + 1] * expit(i) * activation.reference_derivative(g, a),
                dh[t + 1] * activation.reference(c[t + 1], a) * gate_slope(o),
            ],
            axis=-1,
        )
        dx[t], dh[t], dc[t] = dz @ Wx.T, dz @ Wh.T, dc[t + 1] * expit(f)
        dWx += x[t].T @ dz
        dWh += h[t].T @ dz
        db += dz.sum(axis=0)
    return dx, dWx, dWh, db, dh, dc


def gru_forward(
    activation: Any, x: Array, Wx: Array, Wh: Array, b: Array, bh: Array, h0: Array, a: Any
) -> tuple[Array, Array, Array]:
    """Pre-activations (T, N, 3H) in the order r, z, n, q = h Whn + bh (T, N, H) and h (T + 1, N, H), step by step."""
    points, qs, h = [], [], [h0]
    Whr, Whz, Whn = np.split(Wh, 3, axis=1)
    for t in range(len(x)):
        r, z, n = np.split(x[t] @ Wx + b, 3, axis=-1)
        r, z, q = r + h[t] @ Whr, z + h[t] @ Whz, h[t] @ Whn + bh
        n = n + expit(r) * q
        points.append(np.concatenate([r, z, n], axis=-1))
        qs.append(q)
        h.append(expit(-z) * activation.reference(n, a) + expit(z) * h[t])
    return np.array(points), np.array(qs), np.array(h)


def gru_backward(
    activation: Any, dy: Array, x: Array, Wx: Array, Wh: Array, b: Array, bh: Array, h0: Array, a: Any
) -> tuple[Array, ...]:
    """dx, dWx, dWh, db, dbh and dh (T + 1, N, H), step by step."""
    points, qs, h = gru_forward(activation, x, Wx, Wh, b, bh, h0, a)
    dx, dh, dbh = np.zeros_like(x), np.zeros_like(h), np.zeros_like(bh)
    dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
    for t in reversed(range(len(x))):
        r, z, n = np.split(points[t], 3, axis=-1)
        dh[t + 1] += dy[t]
        dn = dh[t + 1] * expit(-z) * activation.reference_derivative(n, a)
        dz = dh[t + 1] * (h[t] - activation.reference(n, a)) * gate_slope(z)
        dr = dn * qs[t] * gate_slope(r)
        by_x, by_h = np.concatenate([dr, dz, dn], axis=-1), np.concatenate([dr, dz, dn * expit(r)], axis=-1)
        dx[t], dh[t] = by_x @ Wx.T, by_h @ Wh.T + dh[t + 1] * expit(z)
        dWx += x[t].T @ by_x
        dWh += h[t].T @ by_h
        db += by_x.sum(axis=0)
        dbh += (dn * expit(r)).sum(axis=0)
    return dx, dWx, dWh, db, dbh, dh


def gate_slope(x: Array) -> Array:
    """The derivative of sigmoid, tails included."""
    return expit(x) * expit(-x)
