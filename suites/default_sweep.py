"""The sweep that gradfade is compared on with hooks in PyTorch: its cells, its own way, and that the two agree."""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace

import numpy as np
import pandas as pd

from kernels import ARCHITECTURES, INITIALIZERS
from kernels.checks import DTYPES
from kernels.layer import parameters
from suites import depth, draws, gate, torch_sweep
from suites.attenuation import scaled, streams
from suites.depth import DepthCell
from suites.experiment import EXPERIMENTS
from suites.measure import Work
from suites.own_activations import lookup_activation

# Decades by which a norm may differ: rounding over 50 layers, where a pre-activation may cross a kink.
AGREE = 0.02


def cells(seeds: int, seed: int) -> Sequence[DepthCell]:
    """Twelve activations by four initialisers, 50 layers of 256."""
    return depth.cells(
        activations=list(torch_sweep.MODULES), initializers=list(torch_sweep.DRAWS), seeds=seeds, seed=seed
    )


def measure(grid: Sequence[DepthCell], pool: Executor | None = None) -> pd.DataFrame:
    """Everything that is measured across depth, every weight drawn: none is remembered from before.

    pool: of workers (see suites.workers.executor), or None, which is this process.
    """
    draws.forget()
    for part in getattr(pool, "parts", ()):
        part.submit(draws.forget).result()
    return EXPERIMENTS["depth"].run(grid, executor=pool)


def work(grid: Sequence[DepthCell]) -> Work:
    """What a benchmark of the sweep says that it does: elements of activations, forward and back."""
    first = grid[0]
    return Work(
        op="peer_sweep",
        activation="",
        direction="forward_backward",
        shape=(len(grid), first.batch, first.width),
        size=f"{first.seeds} seeds",
        repeats=first.seeds * first.depth,
        dtype=first.dtype,
    )


def check(grid: Sequence[DepthCell]) -> None:
    """check_cell of each, by its first seed."""
    for cell in grid:
        check_cell(replace(cell, seeds=1))


def check_cell(cell: DepthCell) -> None:
    """Whether hooks find the rows of a cell's first seed, given the same numbers; GateError where not."""
    rows = EXPERIMENTS["depth"].measure(cell)
    rows = rows[rows.seed == cell.seed]
    absolute = rows[rows.metric == "log10_gradient_norm"].sort_values("position").value.to_numpy()
    by_layer = rows[rows.metric == "log10_weight_gradient"].sort_values(["position", "parameter"]).value.to_numpy()

    weights, inputs, injected = streams(cell.seed)
    build, shape, dtype = ARCHITECTURES[cell.architecture].build, (cell.batch, cell.width), DTYPES[cell.dtype]
    network = build(lookup_activation(cell.activation), INITIALIZERS[cell.initializer], cell.width, cell.depth)
    state = network.init(weights, shape, dtype)
    found = {kind: [p for path, p, _ in parameters(state) if path.endswith(kind)] for kind in ("W", "b")}
    sb2 = float(np.mean(np.square(found["b"][0], dtype=np.float64)))
    x = scaled(inputs.standard_normal(shape), found["W"][0], sb2)
    dy = injected.standard_normal(shape).astype(dtype)
    with np.errstate(divide="ignore"):
        theirs = np.log10(torch_sweep.norms_of(cell, found["W"], found["b"], x.astype(dtype), dy))
    ours = np.concatenate([absolute, by_layer])  # of each layer W, then b
    # PyTorch's float32 norms are lost below 1e-20: their squares underflow.
    both = ours > -15
    gate.check(f"sweep {cell.activation} {cell.initializer}", theirs[both], ours[both], AGREE)
