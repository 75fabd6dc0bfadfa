"""Figures of gradients, over depth, over the plane of variances and of the Jacobian: also of those that vanish."""

import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from reports.figures import FIGURES
from reports.load import load
from reports.style import arrange, panels, theme


@pytest.mark.parametrize("name", [name for name, figure in FIGURES.items() if "depth" in figure.needs])
def test_one_configuration_is_enough(name, run, edit):
    def one(table):
        return table[(table.activation == "relu") & (table.initializer == "he_normal") & (table.seed.isin([0, None]))]

    edit(run, "depth", one)
    edit(run, "time", one)
    data = FIGURES[name].data(load(run))
    with theme():
        FIGURES[name].draw(data)
    assert FIGURES[name].finding(data)


def test_depth_data_are_means_over_seeds(run):
    tables = load(run)
    rows = tables["depth"]
    data = FIGURES["depth"].data(tables)
    for row in data.sample(20, random_state=0).itertuples():
        same = (rows.activation == row.activation) & (rows.initializer == row.initializer)
        at = rows[same & (rows.position == row.position)]
        assert row.measured == pytest.approx(at[at.metric == "log10_gradient"].value.mean())
        assert row.predicted == pytest.approx(at[at.metric == "predicted_log10_gradient"].value.item())


def test_long_curves_are_thinned_to_their_ends(run, edit):
    edit(run, "time", lambda table: table.assign(position=table.position * 100))
    data = FIGURES["time"].data(load(run))
    assert data.position.min() == 0
    assert data.position.max() == 10_000
    assert data.groupby(["activation", "initializer"], observed=True).size().max() <= 200


def test_depth_sentence_follows_the_table(run, edit, finding):
    assert "Over 50 layers sigmoid with xavier_normal keeps 10⁻³² of its gradient" in finding("depth", run)
    assert "Of 6 combinations 2 stay within a factor of ten, 1 grow beyond it, 3 lose more." in finding("depth", run)

    def swap(table):
        names = table.activation.replace({"sigmoid": "relu", "relu": "sigmoid"})
        return table.assign(activation=names, value=table.value / 2)

    edit(run, "depth", swap)
    assert "Over 50 layers relu with xavier_normal keeps 10⁻¹⁶ of its gradient" in finding("depth", run)


def test_the_sentence_says_where_theory_is_silent(run, edit, finding):
    def unpredicted(table):
        table = table[(table.activation != "sigmoid") | ~table.metric.str.startswith("predicted")]
        return table.assign(initializer=table.initializer.where(table.activation != "sigmoid", "constant"))

    assert "silent" not in finding("depth", run)
    edit(run, "depth", unpredicted)
    reason = "Theory is silent about sigmoid with constant: its weights are not independent of each other."
    assert reason in finding("depth", run)


def test_a_zero_gradient_is_shown_and_told(run, edit, finding, drawn):
    def vanish(table):
        gone = (table.activation == "sigmoid") & (table.metric == "log10_gradient") & (table.position < 20)
        return table.assign(value=table.value.where(~gone, -np.inf))

    edit(run, "depth", vanish)
    assert "keeps exactly 0 of its gradient, where theory predicts 10⁻³²" in finding("depth", run)
    assert "Exactly 0 arrives from sigmoid with xavier_normal and sigmoid with he_normal." in finding("depth", run)
    data = FIGURES["depth"].data(load(run))
    with theme():
        figure = FIGURES["depth"].draw(data)
        (panel,) = (ax for ax in figure.axes if ax.get_title("left") == "sigmoid")
        triangles = [line for line in panel.lines if line.get_marker() == "v"]
        assert [line.get_xdata()[0] for line in triangles] == [19, 19]
        texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "exactly 0 in the measured format" in texts
    assert "lost" in {text.get_text() for text in drawn("heat", run).axes[0].texts}


def test_an_overflowed_gradient_is_told(run, edit, finding, drawn):
    def overflow(table):
        lost = (table.activation == "tanh") & (table.metric == "log10_gradient") & (table.seed == 1)
        return table.assign(value=table.value.where(~lost, np.nan))

    edit(run, "depth", overflow)
    text = finding("depth", run)
    assert "Of 4 combinations" in text
    assert "No number arrives from tanh with xavier_normal and tanh with he_normal." in text
    drawn("depth", run)
    edit(run, "depth", lambda table: table.assign(value=np.nan))
    assert finding("depth", run) == "No combination of this run has a gradient to show at position 0."
    drawn("depth", run)


def test_wide_intervals_do_not_squeeze_the_lines(run, edit, drawn):
    """Two seeds of a network that differ widely: lines keep a third of the height at least."""

    def apart(table):
        far = (table.activation == "tanh") & (table.seed == 1) & (table.metric == "log10_gradient")
        return table[~(table.seed > 1)].assign(value=table.value + 300 * far)

    edit(run, "depth", apart)
    ax = drawn("depth", run).axes[0]
    data = FIGURES["depth"].data(load(run))
    lines = data[["measured", "predicted"]].to_numpy()
    low, high = ax.get_ylim()
    assert data.high.max() > 2 * high
    assert low <= np.nanmin(lines) <= np.nanmax(lines) <= high
    assert np.ptp(lines[np.isfinite(lines)]) > (high - low) / 3.1


def test_a_heat_map_of_one_row_can_be_read(run, edit, drawn):
    for name in ("depth", "time"):
        edit(run, name, lambda table: table[table.activation == table.activation.iloc[0]].assign(
            activation="folder/of/my_own.py:long_name"))  # fmt: skip
    figure = drawn("heat", run)
    figure.canvas.draw()
    for ax in figure.axes:
        box = ax.get_tightbbox()
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1
        assert {label.get_rotation() for label in ax.get_yticklabels()} == {0.0}


def test_the_band_of_one_sample_is_centred_on_its_median(run, edit, drawn):
    def one_sample(table):
        band = table[table.metric == "predicted_log10_gradient"].assign(metric="predicted_sd", value=0.4)
        return pd.concat([table, band]).assign(batch=1)

    edit(run, "depth", one_sample)
    (panel,) = (ax for ax in drawn("depth", run).axes if ax.get_title("left") == "relu")
    (prediction,) = (line for line in panel.lines if line.get_linestyle() == "--" and line.get_ydata()[0] == 0)
    bands = [band.get_paths()[0].vertices[:, 1] for band in panel.collections if band.get_alpha() == 0.1]
    median = -math.log(10) * 0.4**2
    assert any((band.min(), band.max()) == pytest.approx((median - 0.784, median + 0.784)) for band in bands)
    assert not np.any(prediction.get_ydata())


def test_a_heat_map_without_any_number(run, edit, drawn):
    edit(run, "depth", lambda table: table.assign(value=np.nan))
    assert {text.get_text() for text in drawn("heat", run).axes[0].texts} <= {"", "–"}  # noqa: RUF001


def test_tradeoff_without_any_finite_number(run, edit, finding, drawn):
    for value, text in ((-np.inf, " → 0"), (np.inf, " → ∞")):
        edit(run, "depth", lambda table, value=value: table.assign(value=value))
        names = [label.get_text() for label in drawn("tradeoff", run).axes[0].texts]
        assert len(names) == 3
        assert all(name.endswith(text) for name in names)
    edit(run, "depth", lambda table: table.assign(value=np.nan))
    assert not drawn("tradeoff", run).axes[0].texts
    assert "No activation" in finding("tradeoff", run)


def test_the_plane_tells_its_points_and_draws_the_line(run, edit, finding, drawn):
    assert finding("phase", run).startswith(
        "Of 18 points 9 lose more than 0.01 decades per layer, 3 gain more, 6 keep their gradient."
    )
    for panel in [ax for ax in drawn("phase", run).axes if ax.get_title("left")]:
        (line,) = panel.lines
        assert list(zip(line.get_xdata(), line.get_ydata(), strict=True)) == [(1.0, 0.0), (1.4, 0.4)]

    def faster(table):
        return table.assign(value=table.value - 30.0 * (table.metric == "log10_gradient"))

    edit(run, "phase", faster)
    assert "18 lose more than 0.01 decades per layer" in finding("phase", run)
    edit(run, "phase", lambda table: table.assign(value=np.nan))
    assert finding("phase", run) == "No point of this run has a gradient to show."


def test_a_plane_without_a_critical_line_is_as_wide_as_the_others(run, edit, drawn):
    """A line of no points, unclipped, had the panels made room for it as far as the corner of the figure."""

    def widths():
        panels = [ax for ax in drawn("phase", run).axes if ax.get_title("left")]
        return [ax.get_position().width for ax in panels]

    expected = widths()
    edit(run, "phase", lambda table: table[table.metric != "critical_weight_variance"])
    assert widths() == pytest.approx(expected, rel=0.1)


def test_a_plane_without_any_number_says_so(run, edit, finding, drawn):
    def overflowing(table):
        lost = (table.activation == "tanh") & (table.metric == "log10_gradient")
        return table.assign(value=table.value.mask(lost))

    edit(run, "phase", overflowing)
    texts = {ax.get_title("left"): [text.get_text() for text in ax.texts] for ax in drawn("phase", run).axes}
    assert texts["tanh"] == ["no number: the pass overflows"]
    assert texts["relu"] == []
    assert "6 more points have no number: the pass overflows." in finding("phase", run)


def test_a_panel_without_singular_values_says_so(run, edit, drawn):
    def flat(table):
        lost = (table.activation == "relu") & (table.metric == "log10_singular_value")
        return table.assign(value=table.value.mask(lost))

    edit(run, "spectrum", flat)
    texts = {ax.get_title("left"): [text.get_text() for text in ax.texts] for ax in drawn("spectrum", run).axes}
    assert texts["relu"] == ["no singular value\nis a number above 0"]
    assert texts["tanh"] == []


@pytest.mark.parametrize(("count", "lines"), [(1, 1), (5, 2)])
def test_names_of_axes_fold_before_they_meet(count, lines):
    with theme():
        figure, axes = panels(map(str, range(count)), 5, "log₁₀ of s over its root mean square", "share of s below")
        arrange(figure)
        boxes = [ax.xaxis.get_label().get_window_extent() for ax in axes.values()]
    assert axes["0"].get_xlabel().count("\n") == lines - 1
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))


def test_only_what_is_drawn_is_in_the_legend(run, edit, drawn):
    def entries():
        return [text.get_text() for text in drawn("lyapunov", run).legends[0].texts]

    assert "predicted rate of the gradient" in entries()
    edit(run, "lyapunov", lambda table: table[~table.metric.str.startswith("predicted")])
    assert "predicted rate of the gradient" not in entries()


def test_spectra_are_over_their_root_mean_square(run, edit, finding, drawn):
    assert finding("spectrum", run).endswith("Measured and predicted spreads differ by 50 % in the median of 6.")
    data = FIGURES["spectrum"].data(load(run))
    one = data[(data.activation == "relu") & (data.initializer == "he_normal")]
    assert one.decades.iloc[0] == -np.inf
    # the largest of seed 0: -3 - (-7) / 2
    assert one.decades.iloc[-1] == pytest.approx(0.5)
    assert one.decades[one.share > 0.26].min() == pytest.approx(-4 - (-6.7) / 2)
    edit(run, "spectrum", lambda table: table.assign(value=np.nan))
    assert finding("spectrum", run) == "No network of this run has singular values to show."
    drawn("spectrum", run)
