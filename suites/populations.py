"""A population of units that stands for those of a gated cell: moments of its gates, and slopes that meet in a unit."""

import math
from functools import cache

import numpy as np
from scipy.special import ndtri

from kernels.critical import MeanField
from suites.gated_ways import CLASSES_WALKED
from suites.prediction import Array

UNITS = 1024  # of a population that stands for all units of the mean field
CLASSES = 64  # of units whose gates stand apart
LEAST_STANDING = 1e-3  # variance below which they are alike: it changes a rate by some 1e-4 decades per step
WATCHED = 40  # steps of the population over which slopes that meet in a unit are averaged
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(48)


def classes(standing: float) -> Array:
    """The parts that stand, of that variance, of units' pre-activations: evenly over a normal distribution."""
    if standing < LEAST_STANDING:
        return np.zeros(1)
    apart = ndtri((np.arange(CLASSES) + 0.5) / CLASSES)
    return apart * math.sqrt(standing / np.mean(apart**2))


def met(field: MeanField, keep: Array, q: float, standing: float, c: Array, growth: float) -> float:
    """By what a hop of an LSTM is more than the product of its means.

    A gradient comes into a unit by act'(c) and leaves it by i g' at an earlier step, of which c has i g: where both
    slopes rise, as those of GELU do, they are large together. way sums over the steps at which it may leave, each
    weighed by what stays since and by growth, per step, of all ways.
    """
    noise = noise_of_steps()[-WATCHED - 1 :]
    own, moving = math.sqrt(standing) * noise[0], math.sqrt(q - standing) * noise[1:]
    gates, inputs = sigmoid(np.array([keep, [0.0]]) + own[:2] + moving[:, :2]), own[3] + moving[:, 3]
    values, rises = field.f(inputs), field.df(inputs)
    way, mets, states = np.zeros(UNITS), np.empty((WATCHED, UNITS)), np.empty((WATCHED, UNITS))
    for t, (f, i) in enumerate(gates):
        states[t] = c = f * c + i * values[t]
        mets[t] = way = i * rises[t] + f / growth * way
    slopes = field.df(states)
    return float(np.mean(mets * slopes) / (np.mean(mets) * np.mean(slopes)))


@cache
def noise_of_steps() -> Array:
    """Standard normals of every step, for three gates and what they are gates of: shape (steps, 4, UNITS)."""
    return np.random.default_rng(0).standard_normal((CLASSES_WALKED + WATCHED + 1, 4, UNITS))


class Gate:
    """Moments of s(z + bias), z ~ N(0, q), one of each for each bias: mean, mean square, and the mean squared slope."""

    def __init__(self, bias: Array, q: float) -> None:
        values = sigmoid(bias[:, None] + math.sqrt(q) * NODES)
        weights = WEIGHTS / WEIGHTS.sum()
        self.mean, self.squared, self.steep = (v @ weights for v in (values, values**2, (values * (1 - values)) ** 2))


def sigmoid(x: Array) -> Array:
    """1 / (1 + e^-x)."""
    return 0.5 + 0.5 * np.tanh(x / 2)
