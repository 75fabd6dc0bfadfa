"""What Lyapunov exponents come to: one row per configuration, in nats and in decades, and the figure of them."""

import json
import math

import numpy as np
import pandas as pd
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


def test_the_gap_is_that_of_the_summary_across_time(run, edit):
    """Of a band of no width: what the gradient is above the prediction, over its error between three seeds."""

    def band(table):
        known = table[table.metric == "predicted_decades_per_step"]
        return pd.concat([table, known.assign(metric="predicted_sd", position=0, value=0.0)])

    silent = spectra(load(run)["lyapunov"]).iloc[0]
    assert math.isnan(silent.gap)  # one sample without a band
    edit(run, "lyapunov", band)
    table = load(run)["lyapunov"]
    row = spectra(table).iloc[0]
    rates = table[(table.metric == "decades_per_step") & (table.architecture == "rnn")].value
    assert row.gap == pytest.approx(rates.mean() + 0.19)
    half = (row.decades_per_step_high - row.decades_per_step_low) / 2
    assert half == pytest.approx(stdtrit(2, 0.975) * rates.sem())
    if rates.sem() > 0:
        assert row.z == pytest.approx(row.gap / rates.sem())


def test_the_command_tells_why_theory_is_silent_and_knows_cells_alone(gradfade):
    sizes = ("--width", "3", "--length", "20", "--seeds", "2")
    code, out, err = gradfade("lyapunov", *sizes, "--format", "json")
    assert code == 0
    assert json.loads(out)[0]["gap"] is None
    assert "theory is silent for rnn tanh xavier_normal: " in err
    for wrong, message in [
        (("--architecture", "gnu"), "unknown recurrent cell 'gnu'; did you mean 'gru'?"),
        (("--length", "1"), "length must be a whole number of 2 or more, got 1"),
    ]:
        code, out, err = gradfade("lyapunov", *wrong)
        assert (code, out) == (2, "")
        assert err.count("\n") == 1
        assert "transformer" not in err
        assert message.split(";")[0] in err
    assert "transformer" not in gradfade("lyapunov", "--help")[1]
