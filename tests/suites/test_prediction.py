"""What predictions share: moments by interpolation, recursions that come to rest, curves from factors."""

import math

import numpy as np
import pytest

from kernels import critical
from kernels.activations import ACTIVATIONS
from kernels.critical import MeanField
from suites.prediction import Moments, NoTheoryError, Prediction, check_spread, ingredients, settled, spread
from suites.theory import PREDICTIONS


@pytest.mark.parametrize("activation", ["tanh", "gelu", "hardtanh", "relu"])
def test_interpolated_moments_are_those_of_quadrature(activation):
    field = MeanField.of(ACTIVATIONS[activation])
    moments = Moments(field)
    for q in (1.0, 0.9871, 37.3, 4e-7, 1e-300):
        assert moments.value(q) == pytest.approx(field.value_moment(q), rel=1e-7)
        assert moments.slope(q) == pytest.approx(field.slope_moment(q), rel=1e-7)
        assert moments.spread(q) == pytest.approx(spread(field, q), rel=1e-6)


def test_configurations_of_one_activation_share_what_is_known_of_it(monkeypatch):
    """The second initialiser, whose variances are the same, takes no quadrature; nor does a third that is the first."""
    deep = {"activation": "softsign", "depth": 40, "width": 96, "batch": 32}
    first = PREDICTIONS["plain"](initializer="lecun_normal", **deep)
    monkeypatch.setattr(critical, "expectation", None)
    for initializer in ("xavier_normal", "lecun_normal"):
        assert PREDICTIONS["plain"](initializer=initializer, **deep).curve.tolist() == first.curve.tolist()


def test_spread_of_known_layers():
    assert spread(MeanField.of(ACTIVATIONS["relu"]), 1.0) == pytest.approx(5)
    assert spread(MeanField.of(ACTIVATIONS["identity"]), 0.3) == pytest.approx(2)
    assert spread(MeanField(np.ones_like, np.zeros_like), 1.0) == math.inf


def test_a_recursion_at_rest_is_not_asked_again():
    asked = []

    def step(q):
        asked.append(q)
        return q / 2 + 0.5

    states = settled(step, 3.0, 1000)
    assert len(states) == 1000
    assert len(asked) < 60
    assert states[:3] == [3.0, 2.0, 1.5]
    assert states[-1] == pytest.approx(1)
    assert settled(step, 3.0, 1) == [3.0]


def test_a_curve_ends_at_one_and_multiplies_factors():
    prediction = Prediction.of_factors([4.0, 100.0], [0.5, 0.0])
    assert prediction.curve == pytest.approx([math.log10(20), 1.0, 0.0])
    assert prediction.sd == pytest.approx([math.sqrt(0.5) / (2 * math.log(10)), 0.0, 0.0])
    assert np.isnan(Prediction.of_factors([1.0]).sd).all()


def test_what_has_no_theory_says_so():
    for factors in ([1.0, 0.0], [math.inf], [math.nan]):
        with pytest.raises(NoTheoryError, match="0 or outgrows"):
            Prediction.of_factors(factors)
    with pytest.raises(NoTheoryError, match="independent"):
        ingredients("tanh", "constant")
    with pytest.raises(NoTheoryError, match="outgrow"):
        Moments(MeanField.of(ACTIVATIONS["relu"])).value(math.inf)
    check_spread(5, 64, 1)
    for few, reason in ((5.0, "few units"), (math.inf, "no slope"), (math.nan, "no slope")):
        with pytest.raises(NoTheoryError, match=reason):
            check_spread(few, 10, 1, banded=True)
    silent = Prediction.silent(3, "because")
    assert silent.reason == "because"
    assert np.isnan(silent.curve).tolist() == [True] * 3
