"""What Lyapunov exponents come to: one row per configuration, in nats and in decades, and the figure of them."""

import json
import math

import numpy as np
import pytest
from scipy.special import stdtrit

from reports.figures import FIGURES
from reports.load import load
from reports.lyapunov import spectra


def test_a_row_per_configuration(run):
    rnn, lstm = spectra(load(run)["lyapunov"]).to_dict("records")
    assert (rnn["architecture"], rnn["seeds"], rnn["exponents"], rnn["positive_exponents"]) == ("rnn", 3, 4, 0)
    assert rnn["largest_decades_per_step"] == pytest.approx(-0.19)
    half = stdtrit(2, 0.975) * 0.01 / math.sqrt(3)
    ends = [rnn[f"largest_decades_per_step_{end}"] for end in ("low", "high")]
    assert ends == pytest.approx([-0.19 - half, -0.19 + half])
    assert rnn["largest_exponent"] == pytest.approx(-0.19 * math.log(10))
    assert rnn["sum_of_exponents"] == pytest.approx(4 * -0.19 * math.log(10) - 1.8)
    assert (rnn["decades_per_step"], rnn["predicted_decades_per_step"]) == pytest.approx((-0.18, -0.19))
    assert rnn["kaplan_yorke_dimension"] == 0
    assert lstm["positive_exponents"] == 1
    first = [0.1 * math.log(10) + 0.01 * math.log(10) * seed for seed in range(3)]
    assert lstm["kaplan_yorke_dimension"] == pytest.approx(np.mean([2 + (2 * x - 0.3) / (0.6 - x) for x in first]))
    assert math.isnan(lstm["predicted_decades_per_step"])


def test_a_direction_that_is_lost_makes_the_sum_infinite(run, edit):
    def lose(table):
        last = (table.metric == "lyapunov_exponent") & (table.position == 4) & (table.seed == 0)
        return table.assign(value=table.value.mask(last, -np.inf))

    edit(run, "lyapunov", lose)
    row = spectra(load(run)["lyapunov"]).iloc[0]
    assert row.sum_of_exponents == -np.inf
    assert row.largest_decades_per_step == pytest.approx(-0.19)


def test_the_figure_is_of_decades_and_names_the_extremes(run):
    data = FIGURES["lyapunov"].data(load(run))
    rnn = data[data.line == "rnn"]
    assert rnn.share.tolist() == [0.25, 0.5, 0.75, 1]
    assert rnn.exponent.tolist() == pytest.approx([-0.19 - 0.3 / math.log(10) * i for i in range(4)])
    text = FIGURES["lyapunov"].finding(data)
    assert "+0.110 decades per step for lstm with tanh xavier_normal" in text
    assert "in 1 of 2 cases" in text


def test_the_command_prints_a_row_and_with_rows_all_of_them(gradfade):
    sizes = ("--width", "3", "--length", "20", "--seeds", "2", "--activation", "identity", "--init", "orthogonal")
    code, out, err = gradfade("lyapunov", *sizes, "--format", "json")
    assert code == 0, err
    (row,) = json.loads(out)
    assert row["largest_decades_per_step"] == pytest.approx(0, abs=1e-12)
    assert row["exponents"] == 3
    code, out, _ = gradfade("lyapunov", *sizes, "--rows", "--format", "json")
    metrics = [row["metric"] for row in json.loads(out)]
    assert metrics.count("lyapunov_exponent") == 6
    assert gradfade("lyapunov", "--architecture", "transformer_pre")[0] == 2
