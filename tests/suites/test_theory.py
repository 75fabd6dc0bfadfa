"""The table of predictions: complete, and silent with a reason where theory is known not to hold."""

import math
from itertools import product

import numpy as np
import pytest

from kernels import critical
from kernels.activations import ACTIVATIONS
from kernels.architectures import ARCHITECTURES
from kernels.initializers import INITIALIZERS
from suites import attenuation, depth
from suites.theory import PREDICTIONS

SIZES = {"width": 64, "batch": 32}
DEPTH = {**SIZES, "depth": 4, "tokens": 5}
TIME = {**SIZES, "length": 6, "inputs": 3, "depth": 2}


def test_every_architecture_has_a_prediction():
    assert set(PREDICTIONS) == set(ARCHITECTURES)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_combination_has_a_curve_or_a_reason(architecture):
    row = ARCHITECTURES[architecture]
    for kind, activation, initializer in product(row.kinds, ("relu", "hardswish"), INITIALIZERS):
        sizes = DEPTH if kind == "depth" else TIME
        try:
            row.build(ACTIVATIONS[activation], INITIALIZERS[initializer], 8, 2 if "depth" in row.kinds else None)
        except ValueError:  # what cannot be built is not asked for
            continue
        prediction = PREDICTIONS[architecture](activation=activation, initializer=initializer, **sizes)
        assert len(prediction.curve) == len(prediction.sd) == 1 + (4 if kind == "depth" else 6)
        if prediction.reason:
            assert np.isnan(prediction.curve).all()
            assert prediction.reason[0].islower()
            assert not prediction.reason.endswith(".")
        else:
            assert np.isfinite(prediction.curve).all()
            assert prediction.curve[-1] == 0


@pytest.mark.parametrize(
    ("architecture", "changes", "reason"),
    [
        ("plain", {"initializer": "constant"}, "independent"),
        ("plain", {"activation": "relu", "initializer": "saturating", "depth": 150}, "outgrow"),
        ("plain", {"activation": "relu", "width": 10}, "few units"),
        ("plain", {"activation": "tanh", "initializer": "saturating"}, "few units"),
        ("residual", {"activation": "tanh", "initializer": "saturating"}, "few units"),
        ("batchnorm", {"batch": 5}, "batches below 6"),
        ("batchnorm", {"activation": "swish", "depth": 50}, "grow apart"),
        ("batchnorm", {"activation": "sigmoid", "initializer": "too_small", "width": 32}, "eps"),
        ("transformer_pre", {"initializer": "saturating"}, "soft"),
        ("transformer_post", {"initializer": "saturating", "length": 5}, "soft"),
        ("transformer_post", {"length": 5000}, "2048"),
        ("lstm", {"initializer": "saturating"}, "switches"),
        ("gru", {"initializer": "saturating"}, "switches"),
        ("lstm", {"activation": "softplus"}, "state"),
        ("gru", {"activation": "sigmoid"}, "mean"),
        ("lstm", {"activation": "identity", "initializer": "he_normal", "inputs": 10}, "holds itself up"),
        ("lstm", {"initializer": "chrono", "length": 600}, "512"),
        ("gru", {"trained": 100}, "trained"),
        ("rnn", {"length": 100_000}, "same at every step"),
    ],
)
def test_where_theory_does_not_hold_it_is_silent(architecture, changes, reason):
    sizes = TIME if "length" in changes or ARCHITECTURES[architecture].kinds == {"time"} else DEPTH
    configuration = {"activation": "tanh", "initializer": "xavier_normal", **sizes, **changes}
    assert reason in PREDICTIONS[architecture](**configuration).reason


@pytest.mark.parametrize("architecture", ["plain", "residual", "layernorm", "batchnorm", "transformer_pre", "gru"])
def test_the_curve_is_of_the_layers_in_between(architecture):
    """A configuration's curve is as long as it is deep."""
    sizes = {**TIME, "length": 300} if architecture == "gru" else {**DEPTH, "depth": 300}
    prediction = PREDICTIONS[architecture](activation="tanh", initializer="lecun_normal", **sizes)
    assert len(prediction.curve) == 301


def check_finite_or_silent(architecture, activation, initializer, factors):
    """Warnings are errors."""
    sizes = {"depth": factors, "tokens": 5} if "depth" in ARCHITECTURES[architecture].kinds else {"length": factors}
    configuration = {"activation": activation, "initializer": initializer, "width": 256, "batch": 32, "inputs": 64}
    prediction = PREDICTIONS[architecture](**configuration, **sizes)
    assert len(prediction.curve) == factors + 1
    assert np.isfinite(prediction.curve).all() != bool(prediction.reason)


@pytest.mark.parametrize("factors", [100, 1000, 10_000])
def test_many_factors_leave_float64_in_no_prediction(factors):
    """A combination in 97, others at each length: all of them take a minute."""
    combinations = list(product(PREDICTIONS, ACTIVATIONS, INITIALIZERS))
    for combination in combinations[factors % 89 :: 97]:
        if combination[1:] != ("softplus", "critical"):  # which cannot be built
            check_finite_or_silent(*combination, factors)


@pytest.mark.parametrize(
    ("architecture", "activation", "initializer", "factors"),
    [
        ("plain", "relu", "too_small", 150),
        ("plain", "tanh", "too_small", 200),
        ("plain", "gelu", "lecun_normal", 400),
        ("plain", "gelu", "he_normal", 1000),
        ("plain", "gelu", "he_normal", 10_000),
        ("batchnorm", "swish", "he_normal", 10_000),
        ("residual", "relu", "saturating", 100),
        ("rnn", "relu", "saturating", 100),
        ("rnn", "identity", "saturating", 100),
    ],
)
def test_variances_that_die_out_or_explode(architecture, activation, initializer, factors):
    check_finite_or_silent(architecture, activation, initializer, factors)


OWN = """
def square(x):
    return x * x


def square_derivative(x):
    return x + x


def flat(x):
    return type(x)(0)


def flat_derivative(x):
    return type(x)(0)
"""


@pytest.mark.parametrize("activation", ["square", "flat"])
@pytest.mark.parametrize("architecture", ["plain", "residual", "rnn", "lstm"])
def test_own_activations_that_square_or_have_no_slope(architecture, activation, tmp_path):
    path = tmp_path / "own.py"
    path.write_text(OWN)
    for initializer in ("xavier_normal", "chrono"):
        check_finite_or_silent(architecture, f"{path}:{activation}", initializer, 12)


@pytest.mark.parametrize(
    ("architecture", "activation", "changes", "reason"),
    [
        ("residual", "square", {}, "wander"),
        ("plain", "square", {"batch": 1}, "wander"),
        ("layernorm", "flat", {}, "no slope"),
        ("rnn", "flat", {}, "no slope"),
    ],
)
def test_own_activations_have_the_reason_that_is_theirs(architecture, activation, changes, reason, tmp_path):
    """Simulated networks of a square are 0.7 decades a layer off with skips, and single samples of 32 units 2."""
    path = tmp_path / "own.py"
    path.write_text(OWN)
    sizes = {**(TIME if architecture == "rnn" else DEPTH), "depth": 6, "width": 128, **changes}
    found = PREDICTIONS[architecture](activation=f"{path}:{activation}", initializer="lecun_normal", **sizes)
    assert reason in found.reason


def test_predicted_rows_do_not_depend_on_what_is_measured(monkeypatch):
    """The measured gradient changes with the seed, and with networks that are altered; predicted rows do not."""

    def values(metric, seed):
        (cell,) = depth.cells(depths=(4,), widths=(16,), batch=4, seeds=1, seed=seed)
        rows = depth.measure(cell)
        return rows[rows.metric == metric].value.tolist()

    measured, predicted = ([values(metric, 0)] for metric in ("log10_gradient", "predicted_log10_gradient"))
    assert len(predicted[0]) == 5
    measured.append(values("log10_gradient", 1))
    predicted.append(values("predicted_log10_gradient", 1))
    monkeypatch.setattr(attenuation, "scaled", lambda x, *_: 7 * x)
    measured.append(values("log10_gradient", 0))
    predicted.append(values("predicted_log10_gradient", 0))
    assert len({tuple(curve) for curve in measured}) == 3
    assert len({tuple(curve) for curve in predicted}) == 1


def test_ten_thousand_layers_and_a_hundred_thousand_steps_take_few_quadratures(monkeypatch):
    taken = []
    monkeypatch.setattr(critical, "_rule", lambda *args, rule=critical._rule: taken.append(args) or rule(*args))
    for architecture in ("plain", "residual", "layernorm", "transformer_pre"):
        deep = {**DEPTH, "depth": 10_000}
        assert math.isfinite(PREDICTIONS[architecture](activation="tanh", initializer="xavier_normal", **deep).curve[0])
    for architecture in ("lstm", "gru"):
        long = {**TIME, "length": 100_000}
        assert math.isfinite(PREDICTIONS[architecture](activation="tanh", initializer="xavier_normal", **long).curve[0])
    assert 100 < len(taken) < 10_000
