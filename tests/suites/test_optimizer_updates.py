"""What optimisers make of a gradient, against NumPy."""

import math

import numpy as np
import pytest

from kernels import ACTIVATIONS, ARCHITECTURES, INITIALIZERS
from kernels.architectures import linear
from kernels.layer import chain, parameters
from kernels.loss import softmax_cross_entropy
from kernels.sequences import last_step
from suites.datasets import adding, digits
from suites.optimizer_updates import UpdateCell, measure
from suites.trained import FEATURES
from suites.training import BATCH, LEARNING_RATE, epoch_batches, network

CELL = {"architecture": "plain", "activation": "tanh", "initializer": "xavier_normal", "dtype": "float64"}


def trained(depth, steps, optimizer="sgd", clip=None, **more):
    """The rows of a network of so many layers, between a linear layer and a head, on digits."""
    size = {"depth": depth, "length": None, "optimizer": optimizer, "clip": clip, "steps": steps}
    return measure(UpdateCell(**{**CELL, **size, "seed": 2, "seeds": 1, **more}))


def first_gradients(depth):
    """(weights, gradients) of the matrices, and the global norm, of the first training step."""
    data = digits()
    weights, order = (np.random.default_rng(child) for child in np.random.SeedSequence(2).spawn(2))
    model = network(ACTIVATIONS["tanh"], INITIALIZERS["xavier_normal"], data.classes, "plain", depth)
    state = model.init(weights, (BATCH, 64), np.dtype("float64"))
    batch = epoch_batches(order, len(data.x))[-1]
    logits = model.forward(state, data.x[batch])
    dlogits = np.empty_like(logits)
    softmax_cross_entropy(dlogits, logits, data.labels[batch])
    model.backward(state, dlogits)
    grads = [(value, grad.copy()) for _, value, grad in parameters(state)]
    norm = math.sqrt(sum(float(np.square(grad).sum()) for _, grad in grads))
    return [(value, grad) for value, grad in grads if value.ndim == 2], norm


def values(rows, metric, step=None):
    """Those of one metric, at one step where it is given."""
    found = rows[(rows.metric == metric) & (True if step is None else rows.step == step)]
    return found.value.to_numpy()


def test_sgd_updates_by_the_gradient_times_the_rate():
    run = trained(3, 1)
    matrices, norm = first_gradients(3)
    gradients = [math.log10(np.linalg.norm(grad)) for _, grad in matrices]
    np.testing.assert_allclose(values(run, "log10_gradient_norm", 1), gradients, rtol=1e-9)
    expected = np.add(gradients, math.log10(LEARNING_RATE))
    np.testing.assert_allclose(values(run, "log10_update", 1), expected, rtol=1e-9)
    relative = [log - math.log10(np.linalg.norm(value)) for log, (value, _) in zip(expected, matrices, strict=True)]
    np.testing.assert_allclose(values(run, "log10_relative_update", 1), relative, rtol=1e-9)
    assert values(run, "norm_before")[0] == values(run, "norm_after")[0] == pytest.approx(norm)
    assert values(run, "clipped_share") == 0
    assert run[run.metric == "log10_update"].position.tolist() == [1, 2, 3, 4, 5]
    assert set(run.dataset) == {"digits"}


def test_adams_first_update_is_the_rate_whatever_the_gradient():
    run = trained(3, 1, "adam")
    matrices, _ = first_gradients(3)
    expected = [math.log10(LEARNING_RATE * np.linalg.norm(grad / (np.abs(grad) + 1e-8))) for _, grad in matrices]
    np.testing.assert_allclose(values(run, "log10_update", 1), expected, atol=1e-7)
    inner = matrices[1][0].size  # no weight of these has a gradient of 0
    assert values(run, "log10_update", 1)[1] == pytest.approx(math.log10(LEARNING_RATE * math.sqrt(inner)), abs=1e-4)


def test_clipping_cuts_the_norm_and_nothing_else():
    _, norm = first_gradients(3)
    free, clipped, idle = trained(3, 4), trained(3, 4, clip=norm / 3), trained(3, 4, clip=100 * norm)
    assert values(clipped, "norm_before")[0] == pytest.approx(norm)
    np.testing.assert_allclose(values(clipped, "norm_after"), norm / 3)
    assert values(clipped, "clipped_share") == 1
    np.testing.assert_allclose(values(clipped, "log10_update", 1), values(free, "log10_update", 1) - math.log10(3))
    np.testing.assert_array_equal(
        values(clipped, "log10_gradient_norm", 1), values(free, "log10_gradient_norm", 1)
    )  # before clipping
    assert values(idle, "clipped_share") == 0
    np.testing.assert_array_equal(values(idle, "log10_update", 4), values(free, "log10_update", 4))


def test_the_share_counts_steps():
    norms = values(trained(3, 5), "norm_before")
    run = trained(3, 5, clip=float(np.sort(norms)[2]))
    before, after = values(run, "norm_before"), values(run, "norm_after")
    assert values(run, "clipped_share") == np.mean(after < before) < 1


def test_updates_too_small_for_their_weights_are_measured():
    """Added to float32 weights they would be rounded away: 20 sigmoid layers lose 12 decades."""
    run = trained(20, 2, activation="sigmoid", dtype="float32")
    relative = values(run, "log10_relative_update", 1)
    assert -13.5 < relative[0] - relative[-1] < -10
    assert np.isfinite(values(run, "log10_update", 2)).all()


def test_training_that_diverges_goes_on_to_its_end_and_clipping_keeps_it():
    exploding = {"architecture": "residual", "activation": "relu", "initializer": "he_normal", "dtype": "float32"}
    run = trained(50, 3, **exploding)
    assert len(values(run, "norm_before")) == 3
    assert not np.isfinite(values(run, "norm_before")).all()
    clipped = trained(50, 3, clip=1.0, **exploding)
    assert np.isfinite(values(clipped, "loss")).all()
    assert (values(clipped, "norm_before") > 1e3).all()
    np.testing.assert_allclose(values(clipped, "norm_after"), 1, rtol=1e-5)


@pytest.mark.parametrize("length", [2, 7])
def test_a_cell_learns_the_adding_problem(length):
    """By hand: backpropagation through time of an RNN with a linear head (Werbos 1990)."""
    run = trained(None, 1, architecture="rnn", length=length, width=5, batch=3)
    assert set(run.dataset) == {"adding"}
    assert set(run.length) == {length}
    weights, examples = (np.random.default_rng(child) for child in np.random.SeedSequence(2).spawn(2))
    rule = INITIALIZERS["xavier_normal"]
    body = ARCHITECTURES["rnn"].build(ACTIVATIONS["tanh"], rule, 5)
    model = chain(body, last_step(), linear(rule.of(ACTIVATIONS["tanh"]), 1))
    state = model.init(weights, (length, 3, FEATURES), np.dtype("float64"))
    (_, Wx, _), (_, Wh, _), *biases, (_, W, _), (_, c, _) = parameters(state)
    bias = sum(value for _, value, _ in biases)
    x, target = adding(examples, length, 3)
    h = [np.zeros((3, 5))]
    for step in x:
        h.append(np.tanh(step @ Wx + h[-1] @ Wh + bias))
    y = h[-1] @ W + c
    dy = 2 * (y - target) / target.size
    grads, dh = [np.zeros_like(Wx), np.zeros_like(Wh), h[-1].T @ dy], dy @ W.T
    for t in reversed(range(length)):
        dz = dh * (1 - h[t + 1] ** 2)
        grads[0] += x[t].T @ dz
        grads[1] += h[t].T @ dz
        dh = dz @ Wh.T
    norms = [math.log10(np.linalg.norm(grad)) for grad in grads]
    np.testing.assert_allclose(values(run, "log10_gradient_norm", 1), norms, rtol=1e-9)
    assert run[run.metric == "log10_update"].parameter.tolist() == ["Wx", "Wh", "W"]
    assert values(run, "loss")[0] == pytest.approx(np.mean((y - target) ** 2))
