"""What an optimiser makes of a gradient: the size of its updates, layer by layer, and what clipping cuts."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels.checks import DTYPES
from kernels.clipping import Clipper
from kernels.initializers import INITIALIZERS
from kernels.layer import parameters
from kernels.optimizers import OPTIMIZERS
from suites.attenuation import Array, log10_norm
from suites.datasets import digits
from suites.interventions import Cell, factors
from suites.own_activations import lookup_activation
from suites.training import BATCH, LEARNING_RATE, epoch_batches, network, stepper
from suites.verdicts import Decades


@dataclass(frozen=True)
class Trained:
    """decades: log10 of the first matrix's relative update over the last one's, in the first step, of each seed."""

    decades: Decades
    rows: list[dict[str, Any]]


def trained(cell: Cell, steps: int, optimizer: str = "sgd", clip: float | None = None) -> Trained:
    """The configuration trained on digits, between a linear layer and a head, for so many steps.

    Rows: of every step norm_before and norm_after, the gradient's global norm before and after clipping; clipped_share
    of the steps; of the first and the last step, by matrix (position, from 1 at the input), log10_update, the norm of
    what is added to the weights, and log10_relative_update, that over the weights' own.
    """
    seeds = range(cell.seed, cell.seed + cell.seeds)
    runs = {seed: _train(cell, seed, steps, optimizer, clip) for seed in seeds}
    first = [updates[1][1] for updates, *_ in runs.values()]
    total = Decades(tuple(relative[0] - relative[-1] for relative in first))
    return Trained(total, [row for seed, run in runs.items() for row in _rows(seed, *run)])


# Step -> log10 of the norm of each matrix's update, and of that over the matrix's own.
Updates = dict[int, tuple[list[float], list[float]]]


def _train(
    cell: Cell, seed: int, steps: int, optimizer: str, clip: float | None
) -> tuple[Updates, list[float], list[float]]:
    """The updates of the first and the last step, and the global norms before and after clipping of all."""
    data, dtype = digits(), DTYPES[cell.dtype]
    weights, order = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(2))
    activation, rule = lookup_activation(cell.activation), INITIALIZERS[cell.initializer]
    model = network(activation, rule, data.classes, cell.architecture, factors(cell))
    state = model.init(weights, (BATCH, data.x.shape[1]), dtype)
    _, values, grads = zip(*parameters(state), strict=True)
    # Updates of weights that are 0 are whole: beside larger weights small ones would be rounded away.
    changes = [np.zeros_like(value) for value in values]
    descend, clipper = OPTIMIZERS[optimizer].make(changes, grads, LEARNING_RATE), Clipper(grads)
    updates: Updates = {}
    before: list[float] = []
    after: list[float] = []

    def update() -> None:
        before.append(clipper.by_global_norm(math.inf if clip is None else clip))
        after.append(clipper.by_global_norm(math.inf))
        for change in changes:
            change.fill(0)
        descend()
        if len(before) in (1, steps):
            matrices = [(value, change) for value, change in zip(values, changes, strict=True) if value.ndim == 2]
            sizes = [log10_norm(change) for _, change in matrices]
            updates[len(before)] = sizes, list(np.subtract(sizes, [log10_norm(value) for value, _ in matrices]))
        for value, change in zip(values, changes, strict=True):
            value += change

    step = stepper(model, state, update, data, dtype)
    batches: list[Array] = []
    with np.errstate(invalid="ignore", over="ignore"):  # training that diverges goes on to the end
        while len(before) < steps:
            batches = batches or epoch_batches(order, len(data.x))
            step(batches.pop())
    return updates, before, after


def _rows(seed: int, updates: Updates, before: list[float], after: list[float]) -> list[dict[str, Any]]:
    every = {"seed": seed, "step": range(1, len(before) + 1), "unit": "1"}
    rows: list[dict[str, Any]] = [
        {**every, "metric": "norm_before", "value": before},
        {**every, "metric": "norm_after", "value": after},
        {"seed": seed, "metric": "clipped_share", "value": float(np.mean(np.less(after, before))), "unit": "1"},
    ]
    for step, norms in updates.items():
        where = {"seed": seed, "step": step, "position": range(1, len(norms[0]) + 1), "parameter": "W"}
        for metric, values in zip(("log10_update", "log10_relative_update"), norms, strict=True):
            rows.append({**where, "metric": metric, "value": values, "unit": "log10"})
    return rows
