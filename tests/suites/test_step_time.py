"""Steps are timed on what they say, in turn, and their ratio has an interval that outliers do not move."""

from dataclasses import replace

import numpy as np
import pytest

from suites import step_time
from suites.interventions import built, subject
from suites.remedies import applicable
from suites.step_time import OUTER, ROUNDS

PLAIN = subject("depth", 4, architecture="plain", activation="sigmoid", initializer="xavier_normal", width=8, batch=4)
RNN = subject("time", 6, architecture="rnn", activation="tanh", initializer="xavier_normal", width=8, batch=4)
POST = replace(PLAIN, architecture="transformer_post", tokens=3)


@pytest.mark.parametrize(
    ("cell", "shape", "layers"),
    [(PLAIN, (4, 8), 4), (RNN, (6, 4, 10), 0), (POST, (3, 4, 8), 4), (replace(PLAIN, depth=40), (4, 8), 10)],
    ids=["plain", "rnn", "transformer", "deep"],
)
def test_a_step_is_of_the_first_layers(cell, shape, layers):
    network, found = built(cell, 10)
    assert (found, len(network.layers)) == (shape, layers)
    step, elements = step_time.stepper(cell)
    step()
    assert elements == (6 * 4 * 8 if cell is RNN else np.prod(shape) * layers)


@pytest.mark.parametrize("cell", [PLAIN, RNN, POST, replace(PLAIN, depth=40)], ids=["plain", "rnn", "post", "deep"])
def test_a_remedy_has_as_many_elements(cell):
    """So that a ratio of times is one of times per element."""
    counts = {step_time.stepper(other)[1] for other in (cell, *applicable(cell).values())}
    assert len(counts) == 1


@pytest.fixture
def clock(monkeypatch):
    """clock(a, b): a step of each takes the seconds that the function returns, of the number of its call."""

    def install(a, b):
        order = []

        def timed(call, number):
            order.append(call.__name__)
            return number * call()

        def counting(name, seconds):
            def call():
                return seconds(order.count(name))

            call.__name__ = name
            return call

        monkeypatch.setattr(step_time.timeit, "timeit", timed)
        return counting("a", a), counting("b", b), order

    return install


def test_times_are_of_the_two_in_turn(clock):
    a, b, order = clock(lambda call: 1.0, lambda call: 2.0)
    assert step_time.in_turn(a, b) == [(1.0, 2.0)] * ROUNDS
    assert order[1:9] == ["a", "b", "b", "a", "a", "b", "b", "a"]


def test_short_steps_are_repeated(clock, monkeypatch):
    a, b, _ = clock(lambda call: 1e-6, lambda call: 3e-6)
    numbers = []
    timed = step_time.timeit.timeit
    monkeypatch.setattr(step_time.timeit, "timeit", lambda call, number: numbers.append(number) or timed(call, number))
    assert step_time.in_turn(a, b)[0] == pytest.approx((1e-6, 3e-6))
    assert numbers[1:] == [500] * 4 * ROUNDS


def test_the_ratio_is_the_median_with_an_interval_that_a_few_outliers_do_not_move(monkeypatch):
    """Rounds of 1 to 12, and three that are far slower: the fourth on either side hold the median."""
    ratios = [*range(1, ROUNDS - OUTER + 1), *[1e3] * OUTER]
    monkeypatch.setattr(step_time, "stepper", lambda *_: (lambda: None, 1000))
    monkeypatch.setattr(step_time, "in_turn", lambda a, b: [(2e-6, 2e-6 * ratio) for ratio in ratios])
    found = step_time.step_time(PLAIN, PLAIN)
    assert (found.ratio, found.low, found.high) == pytest.approx((8, 4, 12))
    assert found.baseline == pytest.approx(2.0)


def test_the_intervals_level_is_that_of_the_sign_test():
    from scipy.stats import binom

    assert 1 - 2 * binom.cdf(OUTER, ROUNDS, 0.5) == pytest.approx(0.965, abs=0.001)


@pytest.mark.parametrize("cell", [PLAIN, RNN], ids=["plain", "rnn"])
def test_another_initialiser_is_the_same_step_and_is_not_timed(cell, monkeypatch):
    other = replace(cell, initializer="critical")
    assert step_time.step_time(cell, other, "adam").baseline > 0
    assert step_time.step_time(cell, replace(other, activation="relu")).baseline > 0
    assert step_time.step_time(cell, other, clip=1.0).baseline > 0
    monkeypatch.setattr(step_time, "in_turn", lambda *_: pytest.fail("it was timed"))
    found = step_time.step_time(cell, other)
    assert (found.ratio, found.low, found.high, np.isnan(found.baseline)) == (1, 1, 1, True)


@pytest.mark.parametrize("cell", [PLAIN, RNN])
def test_of_real_networks(cell):
    found = step_time.step_time(cell, cell, "adam", 1.0)
    assert 0 < found.low <= found.ratio <= found.high
    assert found.baseline > 0
