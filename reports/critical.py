"""The commands of theory's quantities: critical points, phase diagrams, spectra of Jacobians."""

from typing import Annotated

import pandas as pd
import typer

from reports.console import notes
from reports.measuring import measured
from reports.options import (
    Activations,
    Batch,
    Dask,
    Depths,
    DType,
    DTypes,
    Format,
    Initializers,
    KeptOut,
    Names,
    Rows,
    Seed,
    Seeds,
    Width,
    Widths,
    Workers,
)
from reports.tables import emit
from suites.spectrum import ALONE

Depth = Annotated[int, typer.Option(help="Layers.")]
Alone = Annotated[Names, typer.Option("--architecture", help=f"{', '.join(ALONE)}; may be repeated.")]


def critical(
    names: Annotated[Names | None, typer.Argument(help="Activations, FILE.py:NAME among them. Default: all.")] = None,
    bias_variances: Annotated[
        list[float], typer.Option("--bias-variance", help="Variance of biases; may be repeated.")
    ] = [0.0],  # noqa: B006
    format: Format = "table",
) -> None:
    """Where an activation is critical, by mean-field theory: nothing is measured.

    Prints a row per activation and bias variance: name, bias_variance; gain, the factor on weights of variance 1/fan_in
    that keeps the gradient's norm where pre-activations have variance 1; critical_points, how many there are, and of
    the first that is stable (or the first, if stable is False) critical_weight_variance, times 1/fan_in, and
    critical_variance, of pre-activations; blank where there is none. A blank critical_variance beside a weight variance
    is infinite: the variance grows by the biases' in each layer, and the gradient is kept all the same. Others are
    looked for up to a variance of 1e6. Then for weights of variance 1/fan_in (lecun_...) and 2/fan_in (he_...): the
    variance that pre-activations settle at, chi, the factor on the squared norm of the gradient per layer there,
    depth_scale = -1/ln chi in layers (negative where the gradient grows) and decades_per_layer.
    """
    from suites import criticality

    emit(criticality.critical(names or criticality.EVERY, bias_variances), format)


def phase(
    context: typer.Context,
    activations: Activations = ["tanh"],  # noqa: B006
    points: Annotated[int, typer.Option(help="Weight variances, and as many bias variances.")] = 8,
    largest_weight_variance: Annotated[float, typer.Option(help="Of the plane, times 1/fan_in.")] = 4.0,
    largest_bias_variance: Annotated[float, typer.Option(help="Of the plane, from 0 on.")] = 0.4,
    depth: Depth = 30,
    width: Width = 128,
    batch: Batch = 16,
    seeds: Seeds = 4,
    seed: Seed = 0,
    dtype: DType = "float32",
    workers: Workers = 1,
    dask: Dask = None,
    out: KeptOut = None,
    rows: Rows = False,
    format: Format = "table",
) -> None:
    """Where, over the variances of weights and biases, a deep network's gradient vanishes or explodes.

    Each point of the plane is a plain network of normal weights and biases. Prints a row per point: what theory says of
    a settled network (fixed_point_variance of pre-activations, chi, depth_scale = -1/ln chi layers, phase, and
    critical_weight_variance, at which chi is 1 with these biases), decades_per_layer as measured with its 95 %
    interval, predicted_decades_per_layer and z.
    """
    from suites.phase import diagram

    table = _measured("phase", context)
    emit(table if rows else diagram(table), format)


def spectrum(
    context: typer.Context,
    architectures: Alone = ["plain"],  # noqa: B006
    activations: Activations = ["tanh"],  # noqa: B006
    initializers: Initializers = ["xavier_normal", "orthogonal"],  # noqa: B006
    depths: Depths = [50],  # noqa: B006
    widths: Widths = [256],  # noqa: B006
    seeds: Seeds = 4,
    seed: Seed = 0,
    dtypes: DTypes = ["float64"],  # noqa: B006
    workers: Workers = 1,
    dask: Dask = None,
    out: KeptOut = None,
    rows: Rows = False,
    format: Format = "table",
) -> None:
    """Singular values s of a deep network's input-output Jacobian at initialisation, beside theory.

    Prints a row per configuration: log10_mean_s2, of the mean of s^2, and spread_s2, the variance of s^2 over that mean
    squared, each the mean over seeds with its 95 % interval, its prediction and z; log10_largest and log10_condition;
    predicted_sd, of log10_mean_s2 between networks of that width. --rows has all singular values.
    """
    from suites.spectrum_summary import remarks, summary

    table = _measured("spectrum", context)
    if rows:
        emit(table, format)
        return
    printed = summary(table)
    emit(printed, format)
    for remark in remarks(printed):
        notes.print(f"gradfade: {remark}")


def _measured(experiment: str, context: typer.Context) -> pd.DataFrame:
    """The rows that a command's options ask for."""
    grid = {name: value for name, value in context.params.items() if name not in ("rows", "format")}
    out, workers, dask = (grid.pop(name) for name in ("out", "workers", "dask"))
    return measured(experiment, out, grid, workers, dask)
