"""Sums over all ways back: powers of a random matrix, and the two ways of summing against each other."""

import math

import numpy as np
import pytest

from suites.gated_ways import CLASSES_WALKED, WALKED, Ways, alike, fastest, various


def ways(stay, hop, size=1):
    """Of gates that do not move."""
    stay, hop = np.broadcast_to(stay, size).astype(float), np.broadcast_to(hop, size).astype(float)
    return Ways(stay, stay**2, hop, hop**2, stay * hop)


def test_gates_that_do_not_move_sum_binomials():
    """|(f + a W)^n v|^2 is the sum over k of C(n, k)^2 f^(2 (n - k)) a^(2 k), W of variance 1/width."""
    found = alike(ways(0.5, 0.3), 30)
    for n in (0, 1, 2, 17, 30):
        exact = sum(math.comb(n, k) ** 2 * 0.25 ** (n - k) * 0.09**k for k in range(n + 1))
        assert found[n] == pytest.approx(math.log(exact), abs=1e-12)


@pytest.mark.parametrize(("stay", "hop"), [(0.5, 0.25), (0.9, 0.01), (0.1, 0.9)])
def test_both_ways_of_summing_agree_where_units_are_alike(stay, hop):
    found = various(ways(stay, hop, 8), 60, staying=True)
    assert found == pytest.approx(alike(ways(stay, hop), 60), abs=1e-4)
    hopping = various(ways(stay, hop, 8), 60, staying=False)  # a hop more at the end
    assert hopping[1:] == pytest.approx(math.log(hop**2) + found[:-1], abs=1e-4)


def test_units_that_differ_against_a_matrix():
    rng = np.random.default_rng(2)
    width, steps = 500, 12
    stay, hop = np.linspace(0.2, 0.95, width), np.linspace(0.5, 0.05, width)
    squares = []
    for _ in range(6):
        M = np.diag(stay) + rng.standard_normal((width, width)) / math.sqrt(width) * hop
        v = rng.standard_normal((width, 40))
        norms = [np.sum(v * v)]
        for _ in range(steps):
            v = M @ v
            norms.append(np.sum(v * v))
        squares.append(np.array(norms) / norms[0])
    found = various(ways(stay, hop, width), steps, staying=True)
    assert found == pytest.approx(np.log(np.mean(squares, axis=0)), abs=0.02)


@pytest.mark.parametrize(
    ("stays", "hops", "steps"),
    [((0.2, 0.8), (0.0, 0.8), 15), ((0.2, 0.8), (0.0, 0.4), 40), ((0.001, 0.999), (0.0, 0.5), 25)],
    ids=["short", "long", "switches"],
)
def test_gates_that_move_against_a_walk_through_random_steps(stays, hops, steps):
    """Every step has gates of its own, either of two values in each unit. 0.02 in ln is what 1/width leaves."""
    rng = np.random.default_rng(4)
    width, squares = 300, []
    for _ in range(24):
        W = rng.standard_normal((width, width)) / math.sqrt(width)
        v = rng.standard_normal((width, 10))
        norms = [np.sum(v * v)]
        for _ in range(steps):
            stay, hop = rng.choice(stays, (width, 10)), rng.choice(hops, (width, 10))
            v = stay * v + W @ (hop * v)
            norms.append(np.sum(v * v))
        squares.append(np.array(norms) / norms[0])
    mean, error = np.mean(squares, axis=0), np.std(squares, axis=0, ddof=1) / math.sqrt(24)
    moments = np.mean(stays), np.mean(np.square(stays)), np.mean(hops), np.mean(np.square(hops))
    found = alike(Ways(*(np.full(1, moment) for moment in (*moments, moments[0] * moments[2]))), steps)
    assert (np.abs(found - np.log(mean)) < 4 * error / mean + 0.02).all()


def test_after_so_many_steps_the_rate_stays():
    found = alike(ways(0.5, 0.25), WALKED + 1000)
    assert found[-1] - found[-2] == pytest.approx(2 * math.log(0.75), abs=2e-3)
    assert found.shape == (WALKED + 1001,)
    assert np.isfinite(various(ways(np.linspace(0.5, 0.998, 64), 0.01, 64), CLASSES_WALKED, staying=False)).all()


def test_the_spectral_radius():
    """f + a where units are alike; else that of a large matrix."""
    assert fastest(ways(0.5, 0.25, 4)) == pytest.approx(0.75)
    rng = np.random.default_rng(6)
    stay, hop = np.linspace(0, 0.9, 300), np.linspace(0.6, 0.1, 300)
    radius = np.abs(np.linalg.eigvals(np.diag(stay) + rng.standard_normal((300, 300)) / math.sqrt(300) * hop)).max()
    assert fastest(ways(stay, hop, 300)) == pytest.approx(radius, abs=0.05)
