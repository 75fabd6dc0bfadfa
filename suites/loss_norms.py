"""Norms of weight gradients under a real loss: what a user sees who prints them by parameter."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import count

import numpy as np
import pandas as pd

from kernels.architectures import linear
from kernels.checks import DTYPES
from kernels.clipping import Clipper
from kernels.initializers import INITIALIZERS
from kernels.layer import chain, parameters
from kernels.loss import softmax_cross_entropy
from kernels.sequences import last_step
from suites.attenuation import log10_norm, streams
from suites.interventions import Cell, built, factors, kind
from suites.own_activations import lookup_activation
from suites.remedies import CLIP

CLASSES = 10
LOSS = f"softmax cross-entropy of random labels in {CLASSES} classes, at a linear head"
# Steps of a cell beyond which this is not measured: all of them are in memory at once, as in a framework.
LONGEST = 2000


def loss_norms(cell: Cell) -> pd.DataFrame:
    """log10 of the gradient norm of every weight matrix but the head's, and of all parameters together.

    Columns parameter ("3.W", layers counted from 0, in their order, and where a block has several of a name "3.W1",
    "3.W2"; "all" is the last row), log10_norm and log10_clipped, the same after clipping to a global norm of CLIP:
    means over seeds, -inf where one is 0. Inputs are N(0, 1); the pass is a plain one in the cell's dtype, the mean is
    taken over the batch. No row where there are more than LONGEST steps.
    """
    if kind(cell) == "time" and factors(cell) > LONGEST:
        return pd.DataFrame({"parameter": [], "log10_norm": [], "log10_clipped": []})
    seeds = [_norms(cell, seed) for seed in range(cell.seed, cell.seed + cell.seeds)]
    with np.errstate(invalid="ignore"):
        means = np.mean([[*norms.values()] for norms in seeds], axis=0)
    return pd.DataFrame({"parameter": seeds[0].keys(), "log10_norm": means[:, 0], "log10_clipped": means[:, 1]})


def _norms(cell: Cell, seed: int) -> dict[str, tuple[float, float]]:
    """Parameter -> log10 of its gradient's norm, as it is and clipped."""
    body, shape = built(cell)
    activation, dtype = lookup_activation(cell.activation), DTYPES[cell.dtype]
    head = linear(INITIALIZERS[cell.initializer].of(activation).linear(), CLASSES)
    last = [last_step()] * (len(shape) - 2)  # of a sequence
    network = chain(*(body.layers or [body]), *last, head)
    weights, inputs, targets = streams(seed)
    state = network.init(weights, shape, dtype)
    labels = targets.integers(CLASSES, size=cell.batch)
    logits = network.forward(state, inputs.standard_normal(shape).astype(dtype))
    dlogits = np.empty_like(logits)
    softmax_cross_entropy(dlogits, logits, labels)
    network.backward(state, dlogits)
    paths, values, gradients = zip(*parameters(state), strict=True)
    plain = [log10_norm(gradient) for gradient in gradients]
    Clipper(gradients).by_global_norm(CLIP)
    norms = dict(zip(paths, zip(plain, map(log10_norm, gradients), strict=True), strict=True))
    behind = f"{len(state.children) - 1}."  # the head's
    matrices = [path for path, value in zip(paths, values, strict=True) if value.ndim == 2]
    hidden = [path for path in matrices if not path.startswith(behind)]
    before, after = zip(*norms.values(), strict=True)
    told = {name: norms[path] for name, path in zip(short(hidden), hidden, strict=True)}
    return {**told, "all": (together(before), together(after))}


def short(paths: Sequence[str]) -> list[str]:
    """Of paths through a network, "3.0.1.W", the block and the parameter: "3.W", and "3.W1" where there are several."""
    names = [f"{path.partition('.')[0]}.{path.rpartition('.')[2]}" for path in paths]
    several = Counter(names)
    numbers: dict[str, Iterator[int]] = defaultdict(lambda: count(1))
    return [f"{name}{next(numbers[name])}" if several[name] > 1 else name for name in names]


def together(norms: Iterable[float]) -> float:
    """log10 of the norm of all elements together, from log10 of the norms of their parts."""
    largest = max(norms := list(norms))
    if not math.isfinite(largest):
        return largest
    return largest + 0.5 * math.log10(sum(10 ** (2 * (norm - largest)) for norm in norms))
