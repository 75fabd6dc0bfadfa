"""Small measurements that claims of the documents need and that no other experiment makes; a function per kind.

Each takes a cell of suites.claims and gives its rows.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from kernels.architectures import ARCHITECTURES, linear
from kernels.checks import DTYPES
from kernels.clipping import Clipper
from kernels.dense import dense_activation
from kernels.initializers import INITIALIZERS
from kernels.layer import Layer, State, chain, parameters, repeat
from kernels.loss import softmax_cross_entropy
from kernels.optimizers import OPTIMIZERS
from suites import attenuation
from suites.attenuation import Array, log10_norm
from suites.datasets import DATASETS
from suites.own_activations import lookup_activation
from suites.schema import stack

# D1, section 2.2: the weight of every layer, the slope at every pre-activation; D2, section 7.3: the rate, the limit.
WEIGHT, SLOPE = 1.5, 0.04
LEARNING_RATE, CLIP = 1e-3, 1.0
DATASET, OPTIMIZERS_COMPARED = "digits", ("sgd", "adam")


def neurons(cell: Any) -> pd.DataFrame:
    """Sigmoid layers of one neuron each, of weight WEIGHT, with the bias that D1 does not give and without.

    parameter b: with the bias that puts every pre-activation where the slope is SLOPE, value "bias". Without biases the
    first neuron's input is that of the fixed point, so that all layers are alike, too. Metrics: log10_gradient, and at
    positions 1 to the last slope, that of the activation there.
    """
    s = (1 + math.sqrt(1 - 4 * SLOPE)) / 2  # the output where s (1 - s) = SLOPE, on the right
    bias = math.log(s / (1 - s)) - WEIGHT * s
    pieces = []
    for parameter, b in (("b", bias), ("", 0.0)):
        for _ in range(200 if b == 0.0 else 0):
            s = 1 / (1 + math.exp(-WEIGHT * s))
        norms, slopes = _neurons(cell, s, b)
        shared = {"parameter": parameter, "seed": cell.seed, "unit": "1"}
        pieces += [
            {**shared, "position": range(len(norms)), "metric": "log10_gradient", "value": norms, "unit": "log10"},
            {**shared, "position": range(1, len(norms)), "metric": "slope", "value": slopes},
            {**shared, "metric": "bias", "value": b},
        ]
    return stack(_configuration(cell), pieces)


def _neurons(cell: Any, x: float, b: float) -> tuple[list[float], list[float]]:
    """log10 of the gradient at positions 0 to depth over that at the last, and f'(z) of the layers."""
    activation = lookup_activation(cell.activation)
    network = repeat(dense_activation(activation, INITIALIZERS[cell.initializer], 1), cell.depth)
    state = network.init(np.random.default_rng(cell.seed), (1, 1), DTYPES[cell.dtype])
    for child in state.children:
        child.params["W"][:] = WEIGHT
        child.params["b"][:] = b
    network.forward(state, np.full((1, 1), x, DTYPES[cell.dtype]))
    network.backward(state, np.ones((1, 1), DTYPES[cell.dtype]))
    gradients = [float(child.saved["dx"][0, 0]) for child in state.children] + [1.0]
    slopes = [next_ / WEIGHT for next_ in np.divide(gradients[:-1], gradients[1:])]
    return [math.log10(gradient) for gradient in gradients], slopes


def symmetry(cell: Any) -> pd.DataFrame:
    """How far the units of a layer differ, in what they give and in how they learn, at positions 1 to the last.

    unit_spread: the norm of what units have apart from their mean, over the norm of all, of the outputs; parameter W:
    of the gradient of each unit's weights. 0: all units of the layer are the same, and stay so.
    """
    pieces = []
    for seed in range(cell.seed, cell.seed + cell.seeds):
        _, state, _ = _passed(cell, seed)
        for parameter, values in (
            ("", [child.saved["y"] for child in state.children]),
            ("W", [child.grads["W"] for child in state.children]),
        ):
            spread = [_spread(array.astype(np.float64)) for array in values]
            positions = range(1, len(spread) + 1)
            pieces.append({"seed": seed, "position": positions, "metric": "unit_spread", "value": spread, "unit": "1",
                           "parameter": parameter})  # fmt: skip
    return stack(_configuration(cell), pieces)


def _spread(array: Array) -> float:
    """Of the columns of array around their mean, over the norm of all; 0 of zeros."""
    norm = np.linalg.norm(array)
    return float(np.linalg.norm(array - array.mean(axis=1, keepdims=True)) / norm) if norm else 0.0


def recurrent_weights(cell: Any) -> pd.DataFrame:
    """Spectral norm and spectral radius of the recurrent weights that the experiment across time draws."""
    build = ARCHITECTURES[cell.architecture].build
    network = build(lookup_activation(cell.activation), INITIALIZERS[cell.initializer], cell.width)
    pieces = []
    for seed in range(cell.seed, cell.seed + cell.seeds):
        weights, *_ = attenuation.streams(seed)
        state = network.init(weights, (cell.length, cell.batch, cell.inputs), DTYPES[cell.dtype])
        W = state.params["Wh"].astype(np.float64)
        values = {"spectral_norm": np.linalg.norm(W, 2), "spectral_radius": np.abs(np.linalg.eigvals(W)).max()}
        pieces += [{"seed": seed, "parameter": "Wh", "metric": name, "value": value, "unit": "1"}
                   for name, value in values.items()]  # fmt: skip
    return stack(_configuration(cell), pieces)


def skip_path(cell: Any) -> pd.DataFrame:
    """What the path of the skips alone does to a gradient in a Transformer: log10_skip_path, as log10_gradient.

    The branches let nothing through; what stands on the path itself, as the LayerNorms of a post-norm block do, acts.
    """
    pieces = []
    for seed in range(cell.seed, cell.seed + cell.seeds):
        network, state, dy = _passed(cell, seed)
        norms = [log10_norm(dy)]
        for block, child in zip(reversed(network.layers), reversed(state.children), strict=True):
            for part, own in zip(reversed(block.layers), reversed(child.children), strict=True):
                dy = dy if part.layers else part.backward(own, dy)  # a residual layer has a branch, a LayerNorm none
            norms.append(log10_norm(dy))
        value = np.array(norms[::-1]) - norms[0]
        pieces.append({"seed": seed, "position": range(len(value)), "metric": "log10_skip_path", "value": value,
                       "unit": "log10"})  # fmt: skip
    return stack(_configuration(cell), pieces)


def parameter_norms(cell: Any) -> pd.DataFrame:
    """Gradient norms as D2's section 10 prints them, at initialisation, under the mean cross-entropy on DATASET.

    A linear layer before and a linear head behind are not among the positions 1 to depth. log10_weight_gradient, of W
    and b: once as they are, and of W once more after clipping to the global norm clip_norm. log10_gradient, of what
    passes between the layers, from position 0. log10_update, of W: what the first step of an optimizer adds, over its
    learning rate.
    """
    pieces = []
    for seed in range(cell.seed, cell.seed + cell.seeds):
        state, gradients = _classifier(cell, seed)
        layers = state.children[1].children
        shared = {"seed": seed, "position": range(1, len(layers) + 1), "unit": "log10"}
        pieces.append({**shared, "position": range(len(layers) + 1), "metric": "log10_gradient", "value": gradients})
        W = {**shared, "parameter": "W"}
        for name in ("W", "b"):
            norms = [log10_norm(child.grads[name]) for child in layers]
            pieces.append({**shared, "parameter": name, "metric": "log10_weight_gradient", "value": norms})
        for optimizer in OPTIMIZERS_COMPARED:
            updates = _first_step(state, layers, optimizer)
            pieces.append({**W, "optimizer": optimizer, "metric": "log10_update", "value": updates})
        Clipper(gradient for *_, gradient in parameters(state)).by_global_norm(CLIP)
        norms = [log10_norm(child.grads["W"]) for child in layers]
        pieces.append({**W, "clip_norm": CLIP, "metric": "log10_weight_gradient", "value": norms})
    return stack({**_configuration(cell), "dataset": DATASET}, pieces)


def _classifier(cell: Any, seed: int) -> tuple[State, list[float]]:
    """The state of cell.depth layers between two linear ones after a pass forth and back; log10 of the gradient."""
    data, dtype = DATASETS[DATASET](), DTYPES[cell.dtype]
    weights, inputs, _ = attenuation.streams(seed)
    activation, rule = lookup_activation(cell.activation), INITIALIZERS[cell.initializer]
    body = ARCHITECTURES[cell.architecture].build(activation, rule, cell.width, cell.depth)
    linear_rule = rule.of(activation).linear()
    model = chain(linear(linear_rule, cell.width), body, linear(linear_rule, data.classes))
    chosen = inputs.choice(len(data.x), cell.batch, replace=False)
    x = data.x[chosen].astype(dtype)
    state = model.init(weights, x.shape, dtype)
    logits = model.forward(state, x)
    dlogits = np.empty_like(logits)
    softmax_cross_entropy(dlogits, logits, data.labels[chosen])
    model.backward(state, dlogits)
    norms = [log10_norm(child.saved["dx"]) for child in (*state.children[1].children, state.children[2])]
    return state, [norm - norms[-1] for norm in norms]


def _first_step(state: State, layers: list[State], optimizer: str) -> list[float]:
    """log10 of the norm by which an optimiser's first step moves each layer's W, over its rate; W is put back."""
    _, values, grads = zip(*parameters(state), strict=True)
    before = [value.copy() for value in values]
    for value in values:
        value.fill(0)  # what is added to weights would round to their spacing
    OPTIMIZERS[optimizer].make(values, grads, LEARNING_RATE)()
    moved = [log10_norm(child.params["W"]) - math.log10(LEARNING_RATE) for child in layers]
    for value, old in zip(values, before, strict=True):
        value[...] = old
    return moved


def _passed(cell: Any, seed: int) -> tuple[Layer, State, Array]:
    """A network of the experiment across depth after one pass forth and back, and the gradient injected."""
    dtype, leading = DTYPES[cell.dtype], () if cell.tokens is None else (cell.tokens,)
    shape = (*leading, cell.batch, cell.width)
    weights, inputs, injected = attenuation.streams(seed)
    build = ARCHITECTURES[cell.architecture].build
    network = build(lookup_activation(cell.activation), INITIALIZERS[cell.initializer], cell.width, cell.depth)
    state = network.init(weights, shape, dtype)
    network.forward(state, inputs.standard_normal(shape).astype(dtype))
    dy = injected.standard_normal(shape).astype(dtype)
    network.backward(state, dy)
    return network, state, dy


def _configuration(cell: Any) -> dict[str, Any]:
    sizes = {name: value for name in ("depth", "length", "inputs") if (value := getattr(cell, name)) is not None}
    return {"experiment": cell.experiment, **attenuation.configuration(cell), **sizes}


# Kind -> its measurement.
PROBES: dict[str, Callable[[Any], pd.DataFrame]] = {
    "neurons": neurons,
    "symmetry": symmetry,
    "recurrent_weights": recurrent_weights,
    "skip_path": skip_path,
    "parameter_norms": parameter_norms,
}
