"""Training on real data: how fast a step is, how soon a network is good, how good it gets."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from kernels.activations import ACTIVATIONS
from kernels.architectures import ARCHITECTURES, linear
from kernels.checks import DTYPES
from kernels.clipping import Clipper
from kernels.elementwise import Activation
from kernels.initializers import INITIALIZERS, Initializer
from kernels.layer import Layer, State, chain, copy_weights, parameters, set_training
from kernels.loss import softmax_cross_entropy
from kernels.optimizers import OPTIMIZERS
from kernels.sequences import as_sequence, last_step
from suites.attenuation import Array, checked_numbers, sensible
from suites.datasets import DATASETS, Dataset
from suites.errors import UserError, known
from suites.own_activations import lookup_activation, lookup_activations
from suites.schema import stack

WIDTH, DEPTH = 128, 3  # hidden units, and layers or blocks of them
MLP = "mlp"  # the plain layers alone: those of a named architecture get their width from a linear layer
STEPS = 8  # rows of an image, which recurrent cells and Transformers take one by one
BATCH = 64
LEARNING_RATE = 1e-3
TARGET = 0.95  # test accuracy
EVALUATE_EVERY = 10  # steps


@dataclass(frozen=True, kw_only=True)
class TrainingCell:
    """One network trained, once for each of the seeds seed, seed + 1 ... of which there are seeds.

    clip: the largest global norm of the gradient, where it is clipped.
    """

    dataset: str
    architecture: str
    activation: str
    initializer: str
    optimizer: str
    clip: float | None
    epochs: int
    dtype: str
    seed: int
    seeds: int


def cells(
    *,
    datasets: Sequence[str] = ("digits",),
    architectures: Sequence[str] = ("mlp",),
    activations: Sequence[str] = tuple(ACTIVATIONS),
    initializers: Sequence[str] = ("he_normal",),
    optimizers: Sequence[str] = ("adam",),
    clip: float | None = None,
    epochs: int = 20,
    seeds: int = 3,
    seed: int = 0,
    dtype: str = "float32",
) -> list[TrainingCell]:
    """A cell for each combination of names that makes sense; UserError where a name or a number is wrong.

    One initialiser for all activations by default, so that they differ in nothing else.
    """
    if clip is not None and not clip > 0:
        raise UserError(f"clip must be a number above 0, got {clip}")
    numbers = {"epochs": epochs, "seeds": seeds, "seed": seed}
    checked_numbers(dtype, **numbers)
    networks = [
        known({name: name for name in (MLP, *ARCHITECTURES)}, "architecture", architectures),
        [row.name for row in lookup_activations(activations)],
        [row.name for row in known(INITIALIZERS, "initializer", initializers)],
    ]

    def build(architecture: str, activation: Activation, initializer: Initializer) -> None:
        network(activation, initializer, 1, architecture)

    return [
        TrainingCell(
            dataset=dataset,
            architecture=architecture,
            activation=activation,
            initializer=initializer,
            optimizer=optimizer.name,
            clip=clip,
            dtype=dtype,
            **numbers,
        )
        for dataset in known({name: name for name in DATASETS}, "dataset", datasets)
        for architecture, activation, initializer in sensible(networks, build)
        for optimizer in known(OPTIMIZERS, "optimizer", optimizers)
    ]


def network(
    activation: Activation, initializer: Initializer, classes: int, architecture: str = MLP, depth: int = DEPTH
) -> Layer:
    """Logits (N, classes) over x (N, features): depth layers or blocks, or one recurrent layer, and a linear head.

    A recurrent cell or Transformer takes the features as STEPS pieces, and its last step goes to the head.
    ValueError, saying why, where the three make no sense together.
    """
    rule = initializer.of(activation)
    row = ARCHITECTURES["plain" if architecture == MLP else architecture]
    body = row.build(activation, initializer, WIDTH, depth if "depth" in row.kinds else None)
    head = linear(rule, classes)
    if architecture == MLP:
        return chain(*body.layers, head)
    if "depth" not in row.kinds:
        return chain(as_sequence(STEPS), body, last_step(), head)
    if "time" in row.kinds:
        return chain(as_sequence(STEPS), linear(rule, WIDTH), body, last_step(), head)
    return chain(linear(rule, WIDTH), body, head)


def _size(architecture: str) -> dict[str, int]:
    """The columns depth (layers, or blocks) and length of a network."""
    if architecture == MLP:
        return {"depth": DEPTH + 1}
    row = ARCHITECTURES[architecture]
    depth = {"depth": DEPTH} if "depth" in row.kinds else {}
    return depth | ({"length": STEPS} if "time" in row.kinds else {})


def measure(cell: TrainingCell) -> pd.DataFrame:
    """Rows of every seed. All but the times depend on the cell alone.

    Per evaluation, at step: loss, the mean over the batches since the evaluation before (at step 0 the first
    batch's), and test_accuracy. Per seed: seconds_per_step (median), steps_to_target and seconds_to_target (NaN
    where the target is not reached), final_test_accuracy, target_accuracy. Seconds are those of the steps alone.
    """
    configuration = {
        "experiment": "training",
        "dataset": cell.dataset,
        "architecture": cell.architecture,
        "activation": cell.activation,
        "parameter_a": lookup_activation(cell.activation).a,
        "initializer": cell.initializer,
        "optimizer": cell.optimizer,
        "clip_norm": np.nan if cell.clip is None else cell.clip,
        "dtype": cell.dtype,
        "width": WIDTH,
        "batch": BATCH,
        **_size(cell.architecture),
    }
    _seed(replace(cell, epochs=1), cell.seed)  # not kept: it compiles what is timed
    seeds = range(cell.seed, cell.seed + cell.seeds)
    return stack(configuration, [piece for seed in seeds for piece in _seed(cell, seed)])


def _seed(cell: TrainingCell, seed: int) -> list[dict[str, Any]]:
    data, dtype = DATASETS[cell.dataset](), DTYPES[cell.dtype]
    weights, order = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(2))
    model = network(lookup_activation(cell.activation), INITIALIZERS[cell.initializer], data.classes, cell.architecture)
    state = model.init(weights, (BATCH, data.x.shape[1]), dtype)
    update = updater(state, cell.optimizer, cell.clip)
    accuracy = _tester(model, state, data, dtype)
    step = stepper(model, state, update, data, dtype)

    batches = [batch for _ in range(cell.epochs) for batch in epoch_batches(order, len(data.x))]
    evaluated = sorted({*range(0, len(batches), EVALUATE_EVERY), len(batches)})
    accuracies, losses, seconds = {0: accuracy()}, [], []
    for done, batch in enumerate(batches, start=1):
        loss, time = step(batch)
        losses.append(loss)
        seconds.append(time)
        if done in evaluated:
            accuracies[done] = accuracy()

    reached = next((step for step, value in accuracies.items() if value >= TARGET), None)
    means = [float(np.mean(losses[start:end])) for start, end in pairwise(evaluated)]
    curve = {"seed": seed, "step": evaluated, "unit": "1"}
    figures = {
        "seconds_per_step": (float(np.median(seconds)), "s"),
        "steps_to_target": (math.nan if reached is None else reached, "1"),
        "seconds_to_target": (math.nan if reached is None else sum(seconds[:reached]), "s"),
        "final_test_accuracy": (accuracies[len(batches)], "1"),
        "target_accuracy": (TARGET, "1"),
    }
    return [
        {**curve, "metric": "loss", "value": [losses[0], *means], "unit": "nat"},
        {**curve, "metric": "test_accuracy", "value": list(accuracies.values())},
        *({"seed": seed, "metric": name, "value": value, "unit": unit} for name, (value, unit) in figures.items()),
    ]


def updater(state: State, optimizer: str, clip: float | None) -> Callable[[], None]:
    """update(): one step of that optimiser at LEARNING_RATE, by gradients whose global norm clip limits."""
    _, values, grads = zip(*parameters(state), strict=True)
    descend, clipper = OPTIMIZERS[optimizer].make(values, grads, LEARNING_RATE), Clipper(grads)

    def update() -> None:
        if clip is not None:
            clipper.by_global_norm(clip)
        descend()

    return update


def epoch_batches(order: np.random.Generator, examples: int) -> list[Array]:
    """One epoch's batches of indices, each of BATCH; what is left over is dropped."""
    whole = examples // BATCH
    return list(order.permutation(examples)[: whole * BATCH].reshape(whole, BATCH))


def stepper(
    model: Layer, state: State, update: Callable[[], None], data: Dataset, dtype: np.dtype[Any]
) -> Callable[[Array], tuple[float, float]]:
    """step(batch): one optimiser step on the examples of those indices; its loss and its seconds."""
    inputs, x = data.x.astype(dtype), state.saved["dx"].copy()
    labels, dlogits = np.zeros(len(x), np.int64), np.zeros_like(state.saved["y"])

    def step(batch: Array) -> tuple[float, float]:
        start = perf_counter()
        np.take(inputs, batch, axis=0, out=x)
        np.take(data.labels, batch, out=labels)
        loss = softmax_cross_entropy(dlogits, model.forward(state, x), labels)
        model.backward(state, dlogits)
        update()
        return loss, perf_counter() - start

    return step


def _tester(model: Layer, state: State, data: Dataset, dtype: np.dtype[Any]) -> Callable[[], float]:
    """accuracy(): the share of test examples that the network as it is now gets right."""
    x = data.test_x.astype(dtype)
    tested = model.init(np.random.default_rng(0), x.shape, dtype)
    set_training(tested, False)

    def accuracy() -> float:
        copy_weights(tested, state)
        return float(np.mean(model.forward(tested, x).argmax(axis=1) == data.test_labels))

    return accuracy
