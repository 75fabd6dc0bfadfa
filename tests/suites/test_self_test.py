"""Every known answer is met, and a planted fault fails those that it touches."""

import dataclasses

import numpy as np
import pytest

from kernels import ARCHITECTURES, INITIALIZERS
from kernels.elementwise import Activation
from suites import self_test
from suites.experiment import EXPERIMENTS
from suites.self_test import KNOWN_ANSWERS


@pytest.fixture(scope="module")
def table():
    return self_test.self_test().set_index("name")


@pytest.mark.parametrize("name", KNOWN_ANSWERS)
def test_it_is_as_known(table, name):
    row = table.loc[name]
    assert row.verdict == "passed", f"{row.measured} measured, {row.expected} known"
    assert abs(row.measured - row.expected) <= row.tolerance


def test_tolerances_are_narrow():
    """What is expected to be 0 is told from what the last digits of float32 are, a factor from 5 % more or less."""
    for known in KNOWN_ANSWERS.values():
        assert known.tolerance <= (0.03 * known.expected if known.expected > 0.5 else 5e-5)


def failures(monkeypatch, *words):
    """Names of the known answers with one of the words that are not met now."""
    kept = {name: known for name, known in KNOWN_ANSWERS.items() if any(word in name for word in words)}
    monkeypatch.setattr(self_test, "KNOWN_ANSWERS", kept)
    return self_test.failed(self_test.self_test())


def test_a_wrong_derivative_is_seen(monkeypatch):
    right = Activation.backward

    def wrong(self, dx, dy, x, *more):
        right(self, dx, dy, x, *more)
        dx *= 1 + 1e-6

    monkeypatch.setattr(Activation, "backward", wrong)
    found = failures(monkeypatch, "mish: slope", "softsign: slope", "plain")
    plain = "log-scaled pass less the plain one in range, decades"  # which asks activations by themselves
    assert found == [plain, "mish: slope of f less f'", "softsign: slope of f less f'"]


@pytest.mark.parametrize("architecture", ["plain", "layernorm"])
def test_a_wrong_backward_pass_of_an_architecture_is_seen(monkeypatch, architecture):
    right = ARCHITECTURES[architecture]

    def wrong(*arguments):
        layer = right.make(*arguments)

        def backward(state, dy):
            layer.backward(state, dy)
            for child in state.children:
                child.saved["dx"] *= 1.001
            return state.saved["dx"]

        return dataclasses.replace(layer, backward=backward)

    monkeypatch.setitem(ARCHITECTURES, architecture, dataclasses.replace(right, make=wrong))
    assert failures(monkeypatch, ": <u") == [f"{architecture}: <u, J v> less <J'u, v>, relative"]


def test_weights_that_are_drawn_too_small_are_seen(monkeypatch):
    right = INITIALIZERS["he_normal"]
    small = dataclasses.replace(right, variance=lambda fan_in, fan_out: 0.95 * right.variance(fan_in, fan_out))
    monkeypatch.setitem(INITIALIZERS, "he_normal", small)
    assert failures(monkeypatch, "plain ReLU") == ["plain ReLU, He: squared factor per layer"]


def test_a_norm_of_squares_that_underflow_is_seen(monkeypatch):
    def naive(x):
        with np.errstate(all="ignore"):
            return float(np.log10(np.sqrt(np.square(x).sum())))

    monkeypatch.setattr(self_test, "log10_norm", naive)
    assert len(failures(monkeypatch, "log10 of the norm")) == 5


def test_a_log_scaled_pass_that_loses_count_is_seen(monkeypatch):
    right = EXPERIMENTS["depth"]

    def wrong(cell):
        rows = right.measure(cell)
        far = (rows.metric == "log10_gradient") & (rows.value < -20)
        return rows.assign(value=rows.value.where(~far, rows.value + 1e-4))

    monkeypatch.setitem(EXPERIMENTS, "depth", dataclasses.replace(right, measure=wrong))
    assert len(failures(monkeypatch, "log-scaled")) == 2


@pytest.mark.parametrize("norm", [0.0, -99.0])
def test_a_comparison_of_nothing_fails(monkeypatch, norm):
    """Where no position is out of range, or none is in it."""
    right = EXPERIMENTS["depth"]

    def wrong(cell):
        rows = right.measure(cell)
        return rows.assign(value=rows.value.where(rows.metric != "log10_gradient_norm", norm))

    monkeypatch.setitem(EXPERIMENTS, "depth", dataclasses.replace(right, measure=wrong))
    assert failures(monkeypatch, "in range") == ["log-scaled pass less the plain one in range, decades"]


def test_what_is_not_a_number_fails(monkeypatch):
    monkeypatch.setitem(KNOWN_ANSWERS, "nothing", self_test.KnownAnswer(0.0, 1.0, lambda: float("nan")))
    assert failures(monkeypatch, "nothing") == ["nothing"]
