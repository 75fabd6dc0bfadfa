"""What optimisers make of a gradient, against NumPy."""

import math

import numpy as np
import pytest

from kernels import ACTIVATIONS, INITIALIZERS
from kernels.layer import parameters
from kernels.loss import softmax_cross_entropy
from suites.datasets import digits
from suites.interventions import subject
from suites.optimizer_updates import trained
from suites.training import BATCH, LEARNING_RATE, epoch_batches, network

CELL = {"architecture": "plain", "activation": "tanh", "initializer": "xavier_normal", "seeds": 1, "seed": 2}


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


def values(run, metric, step=None):
    """Those of one metric, at one step where it is given."""
    found = [row for row in run.rows if row["metric"] == metric and (step is None or row["step"] == step)]
    return np.array(found[0]["value"])


def cell(**more):
    """A network of three layers, between a linear layer and a head."""
    return subject("depth", 3, **{**CELL, "dtype": "float64", **more})


def test_sgd_updates_by_the_gradient_times_the_rate():
    run = trained(cell(), 1)
    matrices, norm = first_gradients(3)
    expected = [math.log10(LEARNING_RATE * np.linalg.norm(grad)) for _, grad in matrices]
    np.testing.assert_allclose(values(run, "log10_update", 1), expected, rtol=1e-9)
    relative = [log - math.log10(np.linalg.norm(value)) for log, (value, _) in zip(expected, matrices, strict=True)]
    np.testing.assert_allclose(values(run, "log10_relative_update", 1), relative, rtol=1e-9)
    assert run.decades.values == pytest.approx((relative[0] - relative[-1],))
    assert values(run, "norm_before")[0] == values(run, "norm_after")[0] == pytest.approx(norm)
    assert values(run, "clipped_share") == 0


def test_adams_first_update_is_the_rate_whatever_the_gradient():
    run = trained(cell(), 1, "adam")
    matrices, _ = first_gradients(3)
    expected = [math.log10(LEARNING_RATE * np.linalg.norm(grad / (np.abs(grad) + 1e-8))) for _, grad in matrices]
    np.testing.assert_allclose(values(run, "log10_update", 1), expected, atol=1e-7)
    inner = matrices[1][0].size  # no weight of these has a gradient of 0
    assert values(run, "log10_update", 1)[1] == pytest.approx(math.log10(LEARNING_RATE * math.sqrt(inner)), abs=1e-4)


def test_clipping_cuts_the_norm_and_nothing_else():
    _, norm = first_gradients(3)
    free, clipped, idle = trained(cell(), 4), trained(cell(), 4, clip=norm / 3), trained(cell(), 4, clip=100 * norm)
    assert values(clipped, "norm_before")[0] == pytest.approx(norm)
    np.testing.assert_allclose(values(clipped, "norm_after"), norm / 3)
    assert values(clipped, "clipped_share") == 1
    np.testing.assert_allclose(values(clipped, "log10_update", 1), values(free, "log10_update", 1) - math.log10(3))
    assert clipped.decades.values == pytest.approx(free.decades.values)
    assert values(idle, "clipped_share") == 0
    np.testing.assert_array_equal(values(idle, "log10_update", 4), values(free, "log10_update", 4))


def test_the_share_counts_steps():
    norms = values(trained(cell(), 5), "norm_before")
    run = trained(cell(), 5, clip=float(np.sort(norms)[2]))
    before, after = values(run, "norm_before"), values(run, "norm_after")
    assert values(run, "clipped_share") == np.mean(after < before) < 1


def test_updates_too_small_for_their_weights_are_measured():
    """Added to float32 weights they would be rounded away: 20 sigmoid layers lose 12 decades."""
    run = trained(subject("depth", 20, **{**CELL, "activation": "sigmoid"}), 2)
    assert -13.5 < run.decades.mean < -10
    assert np.isfinite(values(run, "log10_update", 2)).all()


def test_training_that_diverges_goes_on_to_its_end():
    run = trained(
        subject("depth", 50, **{**CELL, "architecture": "residual", "activation": "relu", "initializer": "he_normal"}),
        3,
    )
    assert len(values(run, "norm_before")) == 3
    assert not np.isfinite(values(run, "norm_before")).all()
