"""Predictions of causal Transformers across time, against blocks in plain NumPy and by hand."""

import math

import numpy as np
import pytest

from suites.attending import softmax_sums
from suites.theory import PREDICTIONS


def curve(architecture, **sizes):
    return PREDICTIONS[architecture](**sizes).curve


@pytest.mark.parametrize("architecture", ["transformer_pre", "transformer_post"])
@pytest.mark.parametrize(
    ("activation", "initializer", "s1", "depth", "length"),
    [("relu", "he_normal", 2, 3, 7), ("softsign", "lecun_normal", 1, 2, 5)],
)
def test_simulated_blocks(architecture, activation, initializer, s1, depth, length, simulated):
    sizes = {"depth": depth, "width": 128, "batch": 12}
    more = {"pre": architecture == "transformer_pre", "s": 1, "s1": s1, "s2": 1, "tokens": length + 1, "causal": True}
    found, error = simulated.over_seeds(simulated.transformer, 6, name=activation, **more, **sizes)
    predicted = curve(architecture, activation=activation, initializer=initializer, length=length, **sizes)
    assert (np.abs(predicted - found) < 4 * error + 0.03).all()


def test_one_block_by_hand():
    """Pre-norm, weights of variance 1/3: of n + 1 independent tokens the last one's value is a mean over all."""
    length, s = 9, 1 / 3
    kept, sloped = softmax_sums(s * s, length + 1)
    each = (s * s * kept + s**4 * sloped) / (length + 1)
    last = 1 + each + s**4 * sloped
    predicted = curve(
        "transformer_pre", activation="tanh", initializer="framework_default", depth=1, width=4096, length=9
    )
    assert predicted == pytest.approx([*[0.5 * math.log10(each / last)] * length, 0.0], abs=2e-3)


def test_one_step_has_two_tokens():
    two = curve("transformer_post", activation="relu", initializer="he_normal", depth=2, width=64, length=1)
    assert two.shape == (2,)
    assert -1 < two[0] < 0
