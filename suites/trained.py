"""Weights as training leaves them: a cell, or a Transformer, with a linear read-out learns the adding problem."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels.architectures import linear
from kernels.checks import DTYPES
from kernels.initializers import INITIALIZERS
from kernels.layer import Layer, State, chain
from kernels.loss import mse
from kernels.sequences import last_step
from suites.attenuation import Array
from suites.datasets import adding
from suites.own_activations import lookup_activation
from suites.training import updater

FEATURES = 2  # of a step of the adding problem: the value, and whether it is marked
OPTIMIZER, CLIP = "adam", 1.0
# What rows of trained weights say of their training.
TRAINING = {"dataset": "adding", "optimizer": OPTIMIZER, "clip_norm": CLIP}
RECENT = 0.1  # of the training: over the last steps the loss is averaged


@dataclass(frozen=True)
class Trained:
    """state: of the layer, with its weights after training. x: fresh sequences as they enter it. loss: recently."""

    state: State
    x: Array
    loss: float


def trained(cell: Any, layer: Layer, weights: np.random.Generator, seed: int) -> Trained:
    """layer, which is that of a cell of the experiment across time, after cell.trained steps of training.

    Mean squared error, Adam, the gradient clipped by its global norm; new examples at every step, from a stream of
    their own. A cell takes the features as they are, a Transformer what a linear layer makes of them, learned, too,
    and drawn first.
    """
    dtype, rule = DTYPES[cell.dtype], INITIALIZERS[cell.initializer].of(lookup_activation(cell.activation))
    before = () if cell.depth is None else (linear(rule, cell.width),)
    shape = (cell.length + len(before), cell.batch)
    model = chain(*before, layer, last_step(), linear(rule, 1))
    state = model.init(weights, (*shape, FEATURES), dtype)
    examples = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(3,)))  # 0 to 2 are attenuation.streams
    update, dy, losses = updater(state, OPTIMIZER, CLIP), np.empty((cell.batch, 1), dtype), []
    for _ in range(cell.trained):
        x, target = (array.astype(dtype) for array in adding(examples, *shape))
        losses.append(mse(dy, model.forward(state, x), target))
        model.backward(state, dy)
        update()
    x = adding(examples, *shape)[0].astype(dtype)
    for first, child in zip(before, state.children, strict=False):
        x = first.forward(child, x)
    recent = losses[-max(1, int(RECENT * cell.trained)) :]
    return Trained(state.children[len(before)], x, float(np.mean(recent)))
