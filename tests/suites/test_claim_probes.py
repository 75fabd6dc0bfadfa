"""Probes of the claims, each against the same made plainly in NumPy."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq

from kernels.activations import ACTIVATIONS
from kernels.architectures import ARCHITECTURES, linear
from kernels.checks import DTYPES
from kernels.initializers import INITIALIZERS
from kernels.layer import chain
from suites import attenuation
from suites.claim_probes import PROBES
from suites.claims import ClaimCell
from suites.datasets import digits


def cell(experiment, architecture="plain", activation="sigmoid", initializer="xavier_normal", **more):
    sizes = {"width": 12, "batch": 8, "dtype": "float64", "seed": 3, "seeds": 2}
    names = {"architecture": architecture, "activation": activation, "initializer": initializer}
    return ClaimCell(experiment=experiment, **names, **sizes | more)


def measured(cell):
    """A series of the values by metric, parameter, optimiser, clip norm, seed and position."""
    rows = PROBES[cell.experiment](cell)
    assert set(rows.experiment) == {cell.experiment}
    return rows.set_index(["metric", "parameter", "optimizer", "clip_norm", "seed", "position"]).value


def at(values, metric, parameter="", optimizer="", clip_norm=None, seed=3):
    """The values at every position."""
    frame = values.rename("value").reset_index()
    clipped = frame.clip_norm.isna() if clip_norm is None else frame.clip_norm == clip_norm
    frame = frame[(frame.metric == metric) & (frame.parameter == parameter) & (frame.optimizer == optimizer) & clipped]
    return frame[frame.seed == seed].value.to_numpy()


@pytest.mark.parametrize(("dtype", "digits"), [("float32", 1e-6), ("float64", 1e-12)])
def test_neurons_lose_what_the_chain_rule_says(dtype, digits):
    values = measured(cell("neurons", depth=5, width=1, batch=1, dtype=dtype))
    assert at(values, "log10_gradient", "b") == pytest.approx(np.log10(0.06) * np.arange(5, -1, -1), abs=digits)
    assert at(values, "slope", "b") == pytest.approx(0.04, rel=10 * digits)
    (bias,) = at(values, "bias", "b")
    z = brentq(lambda z: 0.25 / math.cosh(z / 2) ** 2 - 0.04, 1, 10)
    assert bias == pytest.approx(z - 1.5 / (1 + math.exp(-z)), rel=1e-9)


def test_neurons_without_a_bias_settle_where_z_is_one_and_a_half_sigmoids():
    s = 0.5
    for _ in range(1000):
        s = 1 / (1 + np.exp(-1.5 * s))
    values = measured(cell("neurons", depth=5, width=1, batch=1))
    assert at(values, "slope") == pytest.approx(s * (1 - s), rel=1e-12)
    assert at(values, "log10_gradient")[1] == pytest.approx(4 * np.log10(1.5 * s * (1 - s)), rel=1e-12)


def test_units_of_constant_weights_are_the_same_and_learn_the_same_below_the_last_layer():
    values = measured(cell("symmetry", activation="tanh", initializer="constant", depth=4))
    assert at(values, "unit_spread") == pytest.approx(0, abs=1e-12)
    assert at(values, "unit_spread", "W")[:-1] == pytest.approx(0, abs=1e-12)
    drawn = measured(cell("symmetry", activation="tanh", depth=4, width=64))
    assert (at(drawn, "unit_spread") > 0.9).all()
    assert (at(drawn, "unit_spread", "W") > 0.9).all()


def test_recurrent_weights_are_those_of_the_run():
    sizes = {"architecture": "rnn", "activation": "tanh", "length": 2, "inputs": 3}
    orthogonal = measured(cell("recurrent_weights", initializer="orthogonal", **sizes))
    assert at(orthogonal, "spectral_norm", "Wh") == pytest.approx(1)
    assert at(orthogonal, "spectral_radius", "Wh") == pytest.approx(1)
    xavier, he = (
        measured(cell("recurrent_weights", initializer=name, **sizes)) for name in ("xavier_normal", "he_normal")
    )
    for metric in ("spectral_norm", "spectral_radius"):  # both draw the same numbers, of twice the variance
        assert at(he, metric, "Wh") == pytest.approx(math.sqrt(2) * at(xavier, metric, "Wh"), rel=1e-6)
    network = ARCHITECTURES["rnn"].build(ACTIVATIONS["tanh"], INITIALIZERS["xavier_normal"], 12)
    state = network.init(attenuation.streams(4)[0], (2, 8, 3), np.dtype(np.float64))
    W = state.params["Wh"]
    assert at(xavier, "spectral_norm", "Wh", seed=4) == pytest.approx(np.sqrt(np.linalg.eigvalsh(W.T @ W).max()))
    assert at(xavier, "spectral_radius", "Wh", seed=4) < at(xavier, "spectral_norm", "Wh", seed=4)


def layer_norm_backward(dy, x):
    """Of y = (x - mean) / sigma over the last axis, eps 1e-5, by its Jacobian."""
    centred = x - x.mean(-1, keepdims=True)
    sigma = np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
    y = centred / sigma
    return (dy - dy.mean(-1, keepdims=True) - y * (dy * y).mean(-1, keepdims=True)) / sigma


def test_the_path_of_the_skips_has_the_layer_norms_of_a_post_norm_block():
    sizes = {"activation": "relu", "depth": 3, "tokens": 4, "batch": 2, "dtype": "float32"}
    pre = measured(cell("skip_path", "transformer_pre", **sizes))
    assert at(pre, "log10_skip_path").tolist() == [0, 0, 0, 0]
    post = at(measured(cell("skip_path", "transformer_post", **sizes)), "log10_skip_path")

    weights, inputs, injected = attenuation.streams(3)
    build = ARCHITECTURES["transformer_post"].build
    network = build(ACTIVATIONS["relu"], INITIALIZERS["xavier_normal"], 12, 3)
    state = network.init(weights, (4, 2, 12), np.dtype(np.float32))
    network.forward(state, inputs.standard_normal((4, 2, 12)).astype(np.float32))
    dy = injected.standard_normal((4, 2, 12))
    norms = [np.linalg.norm(dy)]
    for block in reversed(state.children):
        for norm in (block.children[3], block.children[1]):
            dy = layer_norm_backward(dy, norm.saved["x"].astype(np.float64))
        norms.append(np.linalg.norm(dy))
    assert post == pytest.approx(np.log10(np.array(norms[::-1]) / norms[0]), abs=1e-6)
    assert post[0] < -0.1


def naive_gradients(state, depth, x, labels):
    """dW of each of the layers, db, and the gradients before and behind them, of the mean cross-entropy."""
    first, body, head = state.children
    h = x @ first.params["W"] + first.params["b"]
    hs = [h]
    for child in body.children:
        hs.append(1 / (1 + np.exp(-(hs[-1] @ child.params["W"] + child.params["b"]))))
    logits = hs[-1] @ head.params["W"] + head.params["b"]
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    p[np.arange(len(x)), labels] -= 1
    dh = (p / len(x)) @ head.params["W"].T
    dWs, dbs, norms = [], [], [np.linalg.norm(dh)]
    for child, before, behind in zip(reversed(body.children), hs[-2::-1], hs[::-1], strict=False):
        dz = dh * behind * (1 - behind)
        dWs.append(before.T @ dz)
        dbs.append(dz.sum(0))
        dh = dz @ child.params["W"].T
        norms.append(np.linalg.norm(dh))
    return dWs[::-1], dbs[::-1], np.log10(np.array(norms[::-1]) / norms[0])


@pytest.mark.parametrize(("dtype", "rel"), [("float64", 1e-10), ("float32", 1e-4)])
def test_parameter_norms_are_those_of_backpropagation(dtype, rel):
    this = cell("parameter_norms", depth=3, dtype=dtype)
    values = measured(this)
    weights, inputs, _ = attenuation.streams(3)
    rule, data = INITIALIZERS["xavier_normal"], digits()
    body = ARCHITECTURES["plain"].build(ACTIVATIONS["sigmoid"], rule, 12, 3)
    model = chain(linear(rule, 12), body, linear(rule, 10))
    chosen = inputs.choice(len(data.x), 8, replace=False)
    state = model.init(weights, (8, 64), DTYPES[dtype])
    dWs, dbs, passed = naive_gradients(state, 3, data.x[chosen], data.labels[chosen])

    def norms(arrays):
        return [np.log10(np.linalg.norm(array)) for array in arrays]

    assert at(values, "log10_weight_gradient", "W") == pytest.approx(norms(dWs), rel=rel, abs=rel)
    assert at(values, "log10_weight_gradient", "b") == pytest.approx(norms(dbs), rel=rel, abs=rel)
    assert at(values, "log10_gradient") == pytest.approx(passed, rel=rel, abs=rel)
    # Kingma & Ba 2015, algorithm 1: at the first step m / (sqrt(v) + eps) is g / (|g| + eps); SGD adds g.
    adam = [dW / (np.abs(dW) + 1e-8) for dW in dWs]
    assert at(values, "log10_update", "W", "adam") == pytest.approx(norms(adam), rel=rel, abs=rel)
    assert at(values, "log10_update", "W", "sgd") == pytest.approx(norms(dWs), rel=rel, abs=rel)
    clipped = at(values, "log10_weight_gradient", "W", clip_norm=1.0) - at(values, "log10_weight_gradient", "W")
    assert clipped == pytest.approx(clipped[0], abs=rel)
    assert clipped[0] <= rel


def test_the_next_seed_is_another_network():
    values = measured(cell("parameter_norms", depth=3))
    assert at(values, "log10_weight_gradient", "W", seed=4) != pytest.approx(at(values, "log10_weight_gradient", "W"))
