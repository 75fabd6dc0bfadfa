"""Gradient survival beside its cost: one cell of the experiments across depth and across time per configuration.

What is timed is the whole cell: weights drawn, one forward and backward pass and the norms, for each seed. Decades
per layer or step, measured and predicted, are in extra_info, the rows in the results folder.
"""

import math
from functools import partial
from statistics import median

import numpy as np
import pandas as pd

from kernels import ACTIVATIONS, ARCHITECTURES, INITIALIZERS
from kernels.checks import DTYPES
from suites import default_sweep, layer_gate, summary
from suites.experiment import EXPERIMENTS
from suites.grids import grid
from suites.limits import THREADS
from suites.measure import Work, once, race
from suites.own_activations import lookup_activation
from suites.workers import executor

SEEDS = 4
DEPTH = EXPERIMENTS["depth"]
TIME = EXPERIMENTS["time"]

# A network of the same kernels, this many layers or steps long, passes the gate before the cell is timed.
GATED = 3


def exists(activation, initializer):
    """Whether a plain network or an RNN, neither of which has gates, can be drawn so."""
    try:
        ARCHITECTURES["plain"].build(lookup_activation(activation), INITIALIZERS[initializer], 1, 1)
    except ValueError:
        return False
    return True


@grid(
    quick=lambda initializer, **_: initializer in ("xavier_normal", "he_normal"),
    exists=exists,
    activation=ACTIVATIONS,
    initializer=INITIALIZERS,
)
def test_depth(benchmark, timed, results, seed, activation, initializer):
    (cell,) = DEPTH.cells(activations=[activation], initializers=[initializer], seeds=SEEDS, seed=seed)
    network = ARCHITECTURES["plain"].build(lookup_activation(activation), INITIALIZERS[initializer], cell.width, GATED)

    def check():
        state = passed(network, (cell.batch, cell.width), cell)
        layer_gate.check(f"{activation} {initializer}", network, state)

    measure(benchmark, timed, results, DEPTH, cell, (cell.depth, cell.batch, cell.width), check)


@grid(
    quick=lambda initializer, **_: initializer == "xavier_normal",
    exists=exists,
    activation=ACTIVATIONS,
    initializer=INITIALIZERS,
)
def test_time(benchmark, timed, results, seed, activation, initializer):
    (cell,) = TIME.cells(activations=[activation], initializers=[initializer], seeds=SEEDS, seed=seed)
    network = ARCHITECTURES["rnn"].build(lookup_activation(activation), INITIALIZERS[initializer], cell.width)

    def check():
        state = passed(network, (GATED, cell.batch, cell.inputs), cell)
        layer_gate.check(f"{activation} {initializer}", network, state)

    measure(benchmark, timed, results, TIME, cell, (cell.length, cell.batch, cell.width), check)


@grid(quick=lambda **_: False, count=[threads for threads in THREADS if threads > 1])
def test_workers(benchmark, timed, seed, count):
    """The default sweep by workers, beside this process alone: ratio is what they gain."""
    cells = default_sweep.cells(2 * SEEDS, seed)
    with executor(count) as pool:

        def check():
            pd.testing.assert_frame_equal(
                default_sweep.measure(cells, pool), default_sweep.measure(cells), check_exact=True
            )

        how = partial(race, rival=lambda: default_sweep.measure(cells), rounds=2)
        alone = timed(default_sweep.work(cells), lambda: default_sweep.measure(cells, pool), check, how, workers=count)
    if benchmark.enabled:
        benchmark.extra_info["ratio"] = median(alone) / benchmark.stats.stats.median


def passed(network, shape, cell):
    """The state of a network after a forward and a backward pass on standard-normal arrays."""
    rng = np.random.default_rng(cell.seed)
    state = network.init(rng, shape, DTYPES[cell.dtype])
    layer_gate.poison(state)
    network.forward(state, rng.standard_normal(shape).astype(cell.dtype))
    network.backward(state, rng.standard_normal(state.saved["y"].shape).astype(cell.dtype))
    return state


def measure(benchmark, timed, results, experiment, cell, shape, check):
    """Time one cell once, keep its rows, and say in extra_info what they come to."""
    work = Work(
        op=f"attenuation_{experiment.name}",
        activation=cell.activation,
        direction="forward_backward",
        shape=(cell.seeds, *shape),
        size=cell.initializer,
        dtype=cell.dtype,
    )
    table = timed(work, lambda: experiment.measure(cell), check, once, initializer=cell.initializer)
    (row,) = summary.attenuation(table, experiment.name).to_dict("records")
    decades = {name: value for name, value in row.items() if "decades" in name or name == "z"}
    benchmark.extra_info.update({name: value if math.isfinite(value) else None for name, value in decades.items()})
    if results is not None:
        experiment.store(cell, table, results.run)
