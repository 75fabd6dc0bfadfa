"""The bounds of theory: networks in plain NumPy just inside, within what a line promises, and just outside, silence.

What is promised is of the mean over networks of log10; outside, some are shown to be further off than that.
"""

from dataclasses import replace

import numpy as np
import pytest

from kernels.initializers import INITIALIZERS
from suites import prediction, theory_cells, theory_layers
from suites.prediction import LARGEST_BANDED_SPREAD, PROMISED
from suites.theory import PREDICTIONS

SW2 = {"he_normal": 2.0, "lecun_normal": 1.0, "xavier_normal": 1.0, "forget_one": 1.0, "too_small": None}
BOUNDS = [
    (prediction, "LARGEST_SPREAD"), (prediction, "LARGEST_BANDED_SPREAD"), (theory_cells, "LARGEST_VARIANCE"),
    (theory_cells, "LARGEST_STANDING"), (theory_cells, "LARGEST_STANDING_SHARE"), (theory_cells, "LARGEST_FEEDBACK"),
    (theory_cells, "LARGEST_FEW"), (theory_layers, "LARGEST_DIFFERENCE"), (theory_layers, "LARGEST_EPS"),
]  # fmt: skip


@pytest.fixture
def unbounded(monkeypatch):
    """Predictions that are drawn wherever they can be worked out."""
    for module, name in BOUNDS:
        monkeypatch.setattr(module, name, np.inf)
    monkeypatch.setattr(theory_cells, "RADIUS", -np.inf)
    monkeypatch.setattr(theory_layers, "moved_by", lambda wandered, depth, batch: 0.0)


def predicted(architecture, name, initializer, **sizes):
    return PREDICTIONS[architecture](activation=name, initializer=initializer, **sizes)


def cell_gap(cell, name, initializer, seeds, simulated, *, inputs, width, length, batch=8):
    """Decades per step by which simulated cells are off a line, with a standard error, and the reason of silence."""
    sizes = {"width": width, "length": length, "batch": batch}
    sw2 = SW2[initializer]
    vx = 2 * inputs / (inputs + width) if initializer in ("xavier_normal", "forget_one") else sw2
    biases = {"keep": float(initializer == "forget_one"), "take": 0.0}
    line = predicted(cell, name, initializer, inputs=inputs, **sizes)
    more = {"inputs": inputs if inputs < 20 else None}
    found, error = simulated.typical(
        simulated.gated, seeds, cell=cell, name=name, sw2=sw2, vx=vx, **biases, **sizes, **more
    )
    return (found - line.curve[0]) / length, error / length, line.reason


INSIDE = [  # cell, activation, initialiser, inputs, width, length, batch
    ("lstm", "gelu", "lecun_normal", 64, 80, 25, 8),  # slopes of a unit rise together
    ("lstm", "relu", "xavier_normal", 40, 96, 30, 4),  # standing 0.02
    ("lstm", "elu", "lecun_normal", 30, 60, 25, 8),  # feedback 0.1 with its width
    ("lstm", "tanh", "lecun_normal", 3, 80, 20, 8),  # few inputs 0.67
    ("lstm", "swish", "forget_one", 30, 90, 40, 8),
    ("lstm", "softsign", "lecun_normal", 50, 24, 20, 1),  # one sample of few units
    ("gru", "relu", "xavier_normal", 40, 100, 40, 8),  # standing 0.02
    ("gru", "gelu", "lecun_normal", 50, 72, 30, 16),  # standing 0.025
    ("gru", "elu", "lecun_normal", 5, 40, 30, 4),
    ("gru", "tanh", "he_normal", 50, 130, 6, 8),  # variance 2.5, in few steps
    ("gru", "identity", "lecun_normal", 30, 28, 50, 6),
]


@pytest.mark.parametrize(("cell", "name", "initializer", "inputs", "width", "length", "batch"), INSIDE)
def test_cells_inside(cell, name, initializer, inputs, width, length, batch, simulated):
    sizes = {"inputs": inputs, "width": width, "length": length, "batch": batch}
    gap, error, reason = cell_gap(cell, name, initializer, range(700, 716), simulated, **sizes)
    assert reason == ""
    assert abs(gap) < PROMISED + 2 * error


def assert_off(gap, error):
    """A mean that is known well is further off than a line promises."""
    assert error < PROMISED / 4
    assert abs(gap) + 2 * error > PROMISED


OUTSIDE = [  # the same, and the reason
    ("lstm", "tanh", "he_normal", 1, 80, 20, 8, "inputs are so few"),
    ("gru", "tanh", "lecun_normal", 1, 90, 40, 8, "inputs are so few"),
    ("lstm", "identity", "forget_one", 10, 24, 60, 8, "holds itself up"),
    ("lstm", "swish", "forget_one", 30, 16, 40, 16, "holds itself up"),
    ("gru", "sigmoid", "xavier_normal", 50, 90, 8, 8, "mean"),
    ("lstm", "tanh", "xavier_normal", 30, 8, 8, 1, "few units"),
]


@pytest.mark.parametrize(("cell", "name", "initializer", "inputs", "width", "length", "batch", "reason"), OUTSIDE)
def test_cells_outside(cell, name, initializer, inputs, width, length, batch, reason, simulated, request):
    sizes = {"inputs": inputs, "width": width, "length": length, "batch": batch}
    assert reason in predicted(cell, name, initializer, **sizes).reason
    request.getfixturevalue("unbounded")
    gap, error, drawn = cell_gap(cell, name, initializer, range(740, 960 if width < 30 else 772), simulated, **sizes)
    assert drawn == ""
    assert_off(gap, error)


def layer_gap(norm, name, initializer, sw2, seeds, simulated, **sizes):
    architecture = {"": "plain", "batch": "batchnorm", "layer": "layernorm"}[norm]
    line = predicted(architecture, name, initializer, **sizes)
    found, error = simulated.typical(simulated.layers, seeds, name=name, norm=norm, sw2=sw2, **sizes)
    expected = line.curve[0] - np.log(10) * np.nan_to_num(line.sd[0]) ** 2  # one sample's median, by its band
    return (found - expected) / sizes["depth"], error / sizes["depth"], line.reason


@pytest.mark.parametrize(
    ("norm", "name", "initializer", "sw2", "depth", "width", "batch"),
    [
        ("", "relu", "he_normal", 2, 9, 16, 1),  # with a band
        ("", "relu", "he_normal", 2, 12, 28, 3),
        ("", "relu", "he_normal", 2, 8, 14, 40),
        ("", "relu", "he_normal", 2, 6, 16, 4),
        ("", "gelu", "he_normal", 2, 20, 220, 16),  # variances that wander
        ("layer", "relu", "he_normal", 2, 10, 30, 2),
        ("layer", "elu", "lecun_normal", 1, 30, 28, 1),  # divided by what few units are
        ("layer", "softsign", "lecun_normal", 1, 25, 44, 2),
        ("", "relu", "he_normal", 2, 80, 29, 8),  # all samples' gradients turned to one
        ("", "swish", "he_normal", 2, 10, 45, 32),
        ("", "gelu", "he_normal", 2, 30, 30, 1),  # variances that wander, without a band
        ("batch", "identity", "lecun_normal", 1, 25, 32, 8),  # a batch so small that divisors differ
        ("batch", "swish", "he_normal", 2, 30, 48, 48),  # samples that grow apart
        ("batch", "gelu", "he_normal", 2, 48, 100, 20),
        ("batch", "hardswish", "lecun_normal", 1, 12, 40, 48),
        ("batch", "relu", "he_normal", 2, 9, 30, 7),
        ("batch", "sigmoid", "too_small", 64e-4, 6, 64, 16),  # eps
    ],
)
def test_layers_inside(norm, name, initializer, sw2, depth, width, batch, simulated):
    sizes = {"depth": depth, "width": width, "batch": batch}
    seeds = range(300, 300 + (60 if width < 40 else 12))
    gap, error, reason = layer_gap(norm, name, initializer, sw2, seeds, simulated, **sizes)
    assert reason == ""
    assert abs(gap) < PROMISED + 2 * error


@pytest.mark.parametrize(
    ("norm", "name", "initializer", "sw2", "depth", "width", "batch", "reason"),
    [
        ("", "relu", "he_normal", 2, 9, 14, 2, "few units"),
        ("", "relu", "he_normal", 2, 10, 10, 32, "few units"),
        ("", "relu", "he_normal", 2, 30, 14, 40, "few units"),
        ("", "relu", "he_normal", 2, 88, 23, 9, "few units"),
        ("", "gelu", "he_normal", 2, 26, 12, 1, "wander"),
        ("", "swish", "he_normal", 2, 10, 20, 32, "wander"),
        ("layer", "elu", "lecun_normal", 1, 30, 14, 1, "few units"),
        ("layer", "relu", "he_normal", 2, 30, 16, 2, "few units"),
        ("batch", "identity", "lecun_normal", 1, 25, 18, 8, "few units"),  # slopes the same everywhere
        ("", "gelu", "he_normal", 2, 20, 60, 16, "wander"),
        ("", "gelu", "he_normal", 2, 20, 100, 64, "wander"),
        ("batch", "sigmoid", "too_small", 8e-4, 6, 8, 16, "eps"),
        ("batch", "swish", "he_normal", 2, 90, 64, 64, "grow apart"),
        ("batch", "hardswish", "lecun_normal", 1, 19, 32, 50, "grow apart"),
    ],
)
def test_layers_outside(norm, name, initializer, sw2, depth, width, batch, reason, simulated, request):
    sizes = {"depth": depth, "width": width, "batch": batch}
    architecture = {"": "plain", "batch": "batchnorm", "layer": "layernorm"}[norm]
    assert reason in predicted(architecture, name, initializer, **sizes).reason
    request.getfixturevalue("unbounded")
    seeds = range(400, 520 if width < 64 else 432)
    gap, error, drawn = layer_gap(norm, name, initializer, sw2, seeds, simulated, **sizes)
    assert drawn == ""
    assert_off(gap, error)


def test_one_sample_behind_its_band_by_exact_moments():
    """ReLU, width n: |J u|^2 of a layer is chi^2 of k degrees of freedom times 2/n, k binomial; n = 12 at the bound."""
    from scipy.special import digamma
    from scipy.stats import binom

    n = int(5 / LARGEST_BANDED_SPREAD) + 1
    k = np.arange(1, n + 1)
    weights = binom.pmf(k, n, 0.5)
    mean = weights / weights.sum() @ (digamma(k / 2) + np.log(4 / n))
    assert -PROMISED / 2 < (mean + 5 / n / 2) / (2 * np.log(10)) < 0


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("s", "tokens", "width"), [(1.9, 9, 56), (1.0, 5, 20)])
def test_transformers_inside(causal, s, tokens, width, simulated, monkeypatch):
    """Attention nearly as sharp, and nearly as narrow, as may be."""
    rule = replace(INITIALIZERS["lecun_normal"], name="sharp", variance=lambda i, o: s / i)
    monkeypatch.setitem(INITIALIZERS, "sharp", rule)
    sizes, across = {"depth": 3, "width": width, "batch": 4}, {"length": tokens - 1} if causal else {"tokens": tokens}
    line = predicted("transformer_pre", "softsign", "sharp", **sizes, **across)
    assert line.reason == ""
    given = {"name": "softsign", "pre": True, "s": s, "s1": s, "s2": s, "tokens": tokens, "causal": causal}
    found, error = simulated.typical(simulated.transformer, range(600, 624), **given, **sizes)
    assert abs(found - line.curve[0]) < PROMISED * (tokens - 1 if causal else 3) + 2 * error


@pytest.mark.parametrize(("s", "width", "reason"), [(2.1, 64, "soft"), (1.0, 12, "so narrow")])
def test_transformers_outside(s, width, reason, monkeypatch):
    rule = replace(INITIALIZERS["lecun_normal"], name="sharp", variance=lambda i, o: s / i)
    monkeypatch.setitem(INITIALIZERS, "sharp", rule)
    for across in ({"length": 4}, {"tokens": 5}):
        line = predicted("transformer_post", "tanh", "sharp", depth=2, width=width, batch=4, **across)
        assert reason in line.reason
