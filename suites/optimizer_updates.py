"""What an optimiser makes of a gradient: the size of its updates beside it, by matrix, and what clipping cuts."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kernels.architectures import ARCHITECTURES, linear
from kernels.checks import DTYPES
from kernels.clipping import Clipper
from kernels.initializers import INITIALIZERS
from kernels.layer import State, chain, parameters
from kernels.loss import mse
from kernels.optimizers import OPTIMIZERS
from kernels.sequences import last_step
from suites.attenuation import Array, configuration, log10_norm
from suites.datasets import adding, digits
from suites.own_activations import lookup_activation
from suites.schema import stack
from suites.trained import FEATURES
from suites.training import BATCH, LEARNING_RATE, WIDTH, epoch_batches, network, stepper

DATASETS = {"depth": "digits", "time": "adding"}


@dataclass(frozen=True, kw_only=True)
class UpdateCell:
    """A network in training, on each of the seeds seed, seed + 1 ... of which there are seeds, for so many steps.

    Across depth (length None) layers or blocks between a linear layer and a head, on handwritten digits; across time a
    cell with a head at its last step, on the adding problem. width and batch are those of the training experiment.
    """

    architecture: str
    activation: str
    initializer: str
    depth: int | None
    length: int | None
    optimizer: str
    clip: float | None
    steps: int
    dtype: str
    seed: int
    seeds: int
    width: int = WIDTH
    batch: int = BATCH


def measure(cell: UpdateCell) -> pd.DataFrame:
    """Rows of every seed.

    Of every step: loss, norm_before and norm_after, the gradient's global norm before and after clipping; of all:
    clipped_share. Of the first and the last step, by weight matrix (position, from 1 at the input):
    log10_gradient_norm, before clipping, log10_update, the norm of what is added to the weights, and
    log10_relative_update, that over the weights' own.
    """
    size = {"depth": cell.depth} if cell.length is None else {"length": cell.length, "inputs": FEATURES}
    known: dict[str, Any] = {"experiment": "remedies", "dataset": DATASETS["depth" if cell.length is None else "time"]}
    known |= {"optimizer": cell.optimizer, "clip_norm": math.nan if cell.clip is None else cell.clip}
    seeds = range(cell.seed, cell.seed + cell.seeds)
    return stack(known | configuration(cell) | size, [row for seed in seeds for row in _train(cell, seed)])


def _digits(cell: UpdateCell, seed: int) -> tuple[State, Callable[[], float]]:
    data, dtype = digits(), DTYPES[cell.dtype]
    weights, order = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(2))
    activation, rule = lookup_activation(cell.activation), INITIALIZERS[cell.initializer]
    model = network(activation, rule, data.classes, cell.architecture, cell.depth or 1)
    state = model.init(weights, (cell.batch, data.x.shape[1]), dtype)
    step = stepper(model, state, lambda: None, data, dtype)
    batches: list[Array] = []

    def gradient() -> float:
        batches.extend([] if batches else epoch_batches(order, len(data.x)))
        return step(batches.pop())[0]

    return state, gradient


def _adding(cell: UpdateCell, seed: int) -> tuple[State, Callable[[], float]]:
    dtype, shape = DTYPES[cell.dtype], (cell.length or 1, cell.batch)
    weights, examples = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(2))
    activation, rule = lookup_activation(cell.activation), INITIALIZERS[cell.initializer]
    body = ARCHITECTURES[cell.architecture].build(activation, rule, cell.width)
    model = chain(body, last_step(), linear(rule.of(activation), 1))
    state, dy = model.init(weights, (*shape, FEATURES), dtype), np.empty((cell.batch, 1), dtype)

    def gradient() -> float:
        x, target = (array.astype(dtype) for array in adding(examples, *shape))
        loss = mse(dy, model.forward(state, x), target)
        model.backward(state, dy)
        return loss

    return state, gradient


def _train(cell: UpdateCell, seed: int) -> list[dict[str, Any]]:
    state, gradient = (_digits if cell.length is None else _adding)(cell, seed)
    paths, values, grads = zip(*parameters(state), strict=True)
    matrices = [i for i, value in enumerate(values) if value.ndim == 2]
    # Updates of weights that are 0 are whole: beside larger weights small ones would be rounded away.
    changes = [np.zeros_like(value) for value in values]
    descend, clipper = OPTIMIZERS[cell.optimizer].make(changes, grads, LEARNING_RATE), Clipper(grads)
    losses, before, after, rows = [], [], [], []
    with np.errstate(invalid="ignore", over="ignore"):  # training that diverges goes on to the end
        for step in range(1, cell.steps + 1):
            losses.append(gradient())
            norms = [log10_norm(grads[i]) for i in matrices]
            before.append(clipper.by_global_norm(math.inf if cell.clip is None else cell.clip))
            after.append(clipper.by_global_norm(math.inf))
            for change in changes:
                change.fill(0)
            descend()
            if step in (1, cell.steps):
                sizes = [log10_norm(changes[i]) for i in matrices]
                relative = np.subtract(sizes, [log10_norm(values[i]) for i in matrices])
                where = {"seed": seed, "step": step, "position": range(1, len(matrices) + 1), "unit": "log10"}
                where["parameter"] = [paths[i].rpartition(".")[2] for i in matrices]
                found = {"log10_gradient_norm": norms, "log10_update": sizes, "log10_relative_update": relative}
                rows += [{**where, "metric": metric, "value": value} for metric, value in found.items()]
            for value, change in zip(values, changes, strict=True):
                value += change
    every = {"seed": seed, "step": range(1, cell.steps + 1), "unit": "1"}
    series = {"loss": losses, "norm_before": before, "norm_after": after}
    share = {"metric": "clipped_share", "value": float(np.mean(np.less(after, before))), "unit": "1"}
    return [*rows, {"seed": seed, **share}, *({**every, "metric": name, "value": of} for name, of in series.items())]
