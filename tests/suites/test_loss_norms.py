"""Norms under a real loss, against a network written by hand in float64."""

import math

import numpy as np
import pytest

from kernels import ACTIVATIONS, INITIALIZERS
from kernels.architectures import linear, plain
from kernels.layer import chain, parameters
from suites import loss_norms as module
from suites.attenuation import streams
from suites.interventions import subject
from suites.loss_norms import CLASSES, loss_norms, short, together

NAMES = {"architecture": "plain", "activation": "tanh", "initializer": "he_normal"}
SMALL = {"width": 7, "batch": 5, "seeds": 1, "dtype": "float64"}


def by_hand(seed):
    """log10 of the norms of the two weight gradients, and of all parameters together."""
    rule = INITIALIZERS["he_normal"]
    network = chain(*plain(ACTIVATIONS["tanh"], rule, 7, 2).layers, linear(rule.linear(), CLASSES))
    weights, inputs, targets = streams(seed)
    state = network.init(weights, (5, 7), np.dtype("float64"))
    W1, b1, W2, b2, W3, b3 = (value for _, value, _ in parameters(state))
    labels = targets.integers(CLASSES, size=5)
    x = inputs.standard_normal((5, 7))
    h1 = np.tanh(x @ W1 + b1)
    h2 = np.tanh(h1 @ W2 + b2)
    p = np.exp(h2 @ W3 + b3)
    dlogits = (p / p.sum(1, keepdims=True) - np.eye(CLASSES)[labels]) / 5
    dz2 = dlogits @ W3.T * (1 - h2**2)
    dz1 = dz2 @ W2.T * (1 - h1**2)
    grads = [x.T @ dz1, dz1.sum(0), h1.T @ dz2, dz2.sum(0), h2.T @ dlogits, dlogits.sum(0)]
    norms = [np.linalg.norm(grad) for grad in grads]
    return np.log10([norms[0], norms[2], np.linalg.norm(norms)])


def test_against_a_network_by_hand():
    table = loss_norms(subject("depth", 2, **NAMES, **SMALL, seed=3))
    assert table.parameter.tolist() == ["0.W", "1.W", "all"]
    np.testing.assert_allclose(table.log10_norm, by_hand(3), rtol=1e-10)


@pytest.mark.parametrize(("shift", "clips"), [(-1.0, False), (1.0, True)])
def test_clipping_is_done(monkeypatch, shift, clips):
    """By hand: every gradient times the limit over the global norm, where that is larger; seeds apart."""
    true = [np.array(by_hand(seed)) for seed in (0, 1)]
    limit = 10 ** ((true[0][-1] + true[1][-1]) / 2 - shift)
    monkeypatch.setattr(module, "CLIP", limit)
    table = loss_norms(subject("depth", 2, **NAMES, **{**SMALL, "seeds": 2}))
    after = [norms - max(norms[-1] - math.log10(limit), 0) for norms in true]
    np.testing.assert_allclose(table.log10_clipped, np.mean(after, axis=0), rtol=1e-10)
    assert (table.log10_clipped.iloc[-1] < table.log10_norm.iloc[-1] - 1e-6) == clips


def test_clipping_is_of_each_seed(monkeypatch):
    """Between two norms, one is cut and the other is not, and the mean over both is under the limit."""
    norms = [by_hand(seed)[-1] for seed in (0, 1)]
    monkeypatch.setattr(module, "CLIP", 10 ** np.mean(norms))
    table = loss_norms(subject("depth", 2, **NAMES, **{**SMALL, "seeds": 2}))
    assert table.log10_clipped.iloc[-1] == pytest.approx((min(norms) + np.mean(norms)) / 2)


def test_several_seeds_are_averaged():
    table = loss_norms(subject("depth", 2, **NAMES, **{**SMALL, "seeds": 2}))
    np.testing.assert_allclose(table.log10_norm, (by_hand(0) + by_hand(1)) / 2, rtol=1e-10)


@pytest.mark.parametrize("architecture", ["rnn", "lstm", "transformer_pre"])
def test_sequences_have_a_loss_at_their_last_step(architecture):
    table = loss_norms(subject("time", 6, **{**NAMES, "architecture": architecture}, **SMALL))
    assert table.parameter.iloc[-1] == "all"
    assert len(table) > 2
    assert np.isfinite(table.log10_norm).all()


def test_too_many_steps_to_hold_are_not_measured(monkeypatch):
    monkeypatch.setattr(module, "LONGEST", 5)
    assert loss_norms(subject("time", 6, **{**NAMES, "architecture": "rnn"}, **SMALL)).empty


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["0.W", "1.W"], ["0.W", "1.W"]),
        (["0.0.0.W", "0.0.1.W", "10.0.0.W", "10.0.1.W"], ["0.W1", "0.W2", "10.W1", "10.W2"]),
        (["0.0.0.1.Wq", "0.1.0.1.0.W", "0.1.0.1.1.W"], ["0.Wq", "0.W1", "0.W2"]),
        (["0.Wx", "0.Wh"], ["0.Wx", "0.Wh"]),
    ],
)
def test_a_matrix_is_called_by_its_block_and_its_own_name(paths, names):
    assert short(paths) == names


def test_together():
    assert together([math.log10(3.0) - 300, math.log10(4.0) - 300]) == pytest.approx(math.log10(5.0) - 300)
    assert together([-math.inf, 0.0]) == 0.0
    assert together([-math.inf]) == -math.inf
