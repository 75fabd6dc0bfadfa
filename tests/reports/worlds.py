"""A made-up run of the claims' cells, its numbers near those that are measured, and ways of altering it."""

import math
from itertools import product

import numpy as np
import pandas as pd

from suites.claims import CURVES, cells
from suites.schema import merge, stack

SEEDS = (0, 1)
RULES = ("he_normal", "xavier_normal", "saturating")
# Decades per layer, or step, of a network; others keep their gradient.
RATES = {
    "plain sigmoid xavier_normal": -0.628, "plain sigmoid he_normal": -0.5, "plain sigmoid framework_default": -0.85,
    "plain sigmoid saturating": 0.3, "plain tanh xavier_normal": -0.018, "plain tanh framework_default": -0.24,
    "plain tanh saturating": 0.7, "plain tanh too_small": -0.95, "plain relu xavier_normal": -0.15,
    "plain relu framework_default": -0.39, "plain relu too_small": -1.1, "plain leaky_relu xavier_normal": -0.149,
    "plain swish he_normal": -0.14, "residual relu he_normal": 0.15, "batchnorm relu he_normal": 0.083,
    "transformer_pre relu xavier_normal": 0.0103, "rnn tanh xavier_normal": -0.09, "rnn tanh orthogonal": -0.07,
    "rnn tanh framework_default": -0.243, "rnn tanh too_small": -0.94, "rnn tanh he_normal": -0.12,
    "rnn sigmoid xavier_normal": -0.63, "lstm tanh xavier_normal": -0.157, "lstm tanh framework_default": -0.207,
    "lstm tanh forget_one": -0.045, "lstm tanh chrono": -0.028, "gru tanh xavier_normal": -0.146,
}  # fmt: skip
X = np.linspace(-20, 20, 801)
BELL = 1 / (4 * np.cosh(X / 2) ** 2)
SLOPES = {
    "sigmoid": BELL, "tanh": 1 / np.cosh(X) ** 2, "relu": (X > 0) * 1.0, "leaky_relu": np.where(X > 0, 1.0, 0.01),
    "prelu": np.where(X > 0, 1.0, 0.25), "swish": 0.5 + BELL * X + np.tanh(X / 2) / 2, "gelu": BELL,
}  # fmt: skip


def claims() -> pd.DataFrame:
    """The rows of every cell; those across depth and time, and of norms, at eleven positions."""
    return merge([_of(cell) for cell in cells()])


def _of(cell):
    sizes = {name: value for name in ("depth", "length") if (value := getattr(cell, name)) is not None}
    names = {name: getattr(cell, name) for name in ("experiment", "architecture", "activation", "initializer")}
    configuration = {**names, "width": cell.width, "batch": cell.batch, "dtype": cell.dtype, **sizes}
    size = cell.length if cell.experiment == "time" else cell.depth
    pieces = KINDS[cell.experiment](cell, size)
    seeds = (0,) if cell.experiment == "curves" else SEEDS
    return stack(configuration, [{"seed": seed, **piece} for piece in pieces for seed in seeds])


def curves(cell, _):
    return [
        {"position": X, "metric": "f", "value": [x * 0.5 * math.erfc(-x / math.sqrt(2)) for x in X]},
        {"position": X, "metric": "df", "value": SLOPES[cell.activation]},
    ]


def line(cell, size):
    """log10 of the gradient, straight but where tanh keeps it best."""
    name = f"{cell.architecture} {cell.activation} {cell.initializer}"
    position = np.unique(np.round(np.linspace(0, size, 11)).astype(int))
    bend = 6 if name == "plain tanh xavier_normal" and size > 10 else 1
    value = RATES.get(name, 0.0) * size * (1 - position / size) ** bend
    return {"position": position, "metric": "log10_gradient", "value": value}


def sweep(cell, size):
    saturated = 0.8 if cell.architecture == "plain" and cell.initializer == "saturating" else 0.01
    thins = cell.architecture == "plain" and cell.initializer == "xavier_normal"
    ends = {"position": [1, size]}
    return [
        line(cell, size),
        {**line(cell, size), "metric": "predicted_log10_gradient"},
        {**ends, "metric": "forward_variance", "value": [1.0, 1e-9 if thins else 1.0]},
        {**ends, "metric": "saturated_share", "value": saturated},
        {**ends, "metric": "dead_share", "value": 0.3 if cell.activation == "relu" else 0.0},
    ]


def neurons(cell, size):
    return [
        {"position": 1, "parameter": "b", "metric": "log10_gradient", "value": 4 * math.log10(0.06)},
        {"position": range(1, 6), "metric": "slope", "value": 0.184},
    ]


def symmetry(cell, size):
    spread = 0.0 if cell.initializer == "constant" else 1.0
    return [
        {"position": range(1, 11), "parameter": name, "metric": "unit_spread", "value": spread} for name in ("", "W")
    ]


def recurrent_weights(cell, size):
    radius = {"too_small": 0.11, "framework_default": 0.58}.get(cell.initializer, 1.0)
    values = {"spectral_norm": 2 * radius, "spectral_radius": radius}
    return [{"parameter": "Wh", "metric": name, "value": value} for name, value in values.items()]


def skip_path(cell, size):
    path = -1.7 if cell.architecture == "transformer_post" else 0.0
    return [{"position": [0, size], "metric": "log10_skip_path", "value": [path, 0.0]}]


def parameter_norms(cell, size):
    """The gradient is left as the network leaves it, and Adam's step where it is above 1e-8."""
    first = -0.3 + line(cell, size)["value"][0]
    both = {"position": [1, size], "parameter": "W"}
    return [
        line(cell, size),
        *({**both, "metric": "log10_weight_gradient", "value": [first, -0.3], "clip_norm": clip}
          for clip in (np.nan, 1.0)),
        {**both, "metric": "log10_update", "value": [first, -0.3], "optimizer": "sgd"},
        {**both, "metric": "log10_update", "value": [min(2.1, first + 8), 2.1], "optimizer": "adam"},
    ]  # fmt: skip


KINDS = {
    "curves": curves, "depth": sweep, "time": sweep, "neurons": neurons, "symmetry": symmetry,
    "recurrent_weights": recurrent_weights, "skip_path": skip_path, "parameter_norms": parameter_norms,
}  # fmt: skip


def training() -> pd.DataFrame:
    """Every network learns, of few layers and of many, whatever its weights; so do all cells the adding problem."""
    pieces = []
    for activation, initializer, depth, seed in product((*CURVES, "elu"), RULES, (4, 20), SEEDS):
        network = {"activation": activation, "initializer": initializer, "depth": depth, "seed": seed}
        shared = {"dataset": "digits", "architecture": "mlp", **network}
        pieces += [
            {**shared, "metric": "final_test_accuracy", "value": 0.97},
            {**shared, "metric": "steps_to_target", "value": 50.0},
            {**shared, "metric": "loss", "step": range(5), "value": [2.3, 1.8, 1.3, 0.8, 0.3]},
            {**shared, "metric": "relative_weight_change", "position": range(1, depth + 1), "value": 0.3},
        ]
    for architecture, seed in product(("rnn", "lstm", "gru"), SEEDS):
        shared = {"dataset": "adding", "architecture": architecture, "activation": "tanh", "length": 100, "seed": seed}
        pieces.append({**shared, "metric": "loss", "step": [0, 2000], "value": [1.0, 0.01]})
    return stack({"experiment": "training"}, pieces)


def where(table, **columns):
    """The rows that have these values."""
    chosen = pd.Series(True, index=table.index)
    for name, value in columns.items():
        chosen &= table[name] == value
    return chosen


def total(network, decades, size=None, experiment=None):
    """An alteration: the networks of that name lose so many decades, on a straight line."""

    def alter(tables):
        table = tables["claims"]
        architecture, activation, initializer = network.split()
        chosen = where(
            table, architecture=architecture, activation=activation, initializer=initializer, metric="log10_gradient"
        ) & table.experiment.isin([experiment] if experiment else ["depth", "time"])
        sizes = table.length.where(table.experiment == "time", table.depth).astype(float)
        chosen &= (sizes == size) | (size is None)
        table.loc[chosen, "value"] = decades * (1 - table.position[chosen] / sizes[chosen])

    return alter


def put(name, change, **columns):
    """An alteration of a table's values: the rows with these values get another, or what change(value) is."""

    def alter(tables):
        table = tables[name]
        chosen = where(table, **columns)
        assert chosen.any(), columns
        table.loc[chosen, "value"] = change(table[chosen]) if callable(change) else change

    return alter
