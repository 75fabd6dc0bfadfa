"""Known answers: what theory or mathematics says a measurement must give, and what the kernels here give.

Everything is drawn from fixed seeds, so that a verdict is the same every time. A statistical answer's tolerance is
four standard errors of the mean over the layers and seeds that are used.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from kernels import ACTIVATIONS, ARCHITECTURES, INITIALIZERS
from kernels.architectures import linear
from kernels.clipping import clip_by_global_norm
from kernels.critical import MeanField
from kernels.layer import Array, Layer, State, parameters, repeat
from suites.attenuation import log10_norm
from suites.experiment import EXPERIMENTS
from suites.threads import one_thread

PASSED, FAILED = "passed", "FAILED"
LOG10_2 = math.log10(2.0)
EPS32 = float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class KnownAnswer:
    """A number that is known, and measure(), which gives it but for tolerance where all is right."""

    expected: float
    tolerance: float
    measure: Callable[[], float]


def self_test(progress: Callable[[int, int], None] = lambda done, total: None) -> pd.DataFrame:
    """A row for each of KNOWN_ANSWERS: name, expected, measured, tolerance, verdict.

    progress(done, all) is called at the start and after each; compiling takes a minute the first time.
    """
    measured: dict[str, float] = {}
    progress(0, len(KNOWN_ANSWERS))
    with one_thread():
        for name, known in KNOWN_ANSWERS.items():
            measured[name] = known.measure()
            progress(len(measured), len(KNOWN_ANSWERS))
    return pd.DataFrame(
        [
            {
                "name": name,
                "expected": known.expected,
                "measured": measured[name],
                "tolerance": known.tolerance,
                "verdict": PASSED if abs(measured[name] - known.expected) <= known.tolerance else FAILED,
            }
            for name, known in KNOWN_ANSWERS.items()
        ]
    )


def failed(table: pd.DataFrame) -> list[str]:
    """Names of the known answers that a table of self_test() did not meet."""
    return table.name[table.verdict == FAILED].tolist()


def depth_rows(**grid: Any) -> pd.DataFrame:
    """Rows of the depth experiment, as every command measures it."""
    experiment = EXPERIMENTS["depth"]
    (cell,) = experiment.cells(**{"activations": ["relu"], "initializers": ["he_normal"], "seed": 0} | grid)
    return experiment.measure(cell)


def curves(rows: pd.DataFrame, metric: str) -> Array:
    """A metric by seed and position, (seeds, positions)."""
    return rows[rows.metric == metric].pivot(index="seed", columns="position", values="value").to_numpy(np.float64)


def squared_factor(architecture: str) -> float:
    """The factor on the squared gradient norm of one layer or block: the mean over interior ones and seeds.

    Each has this expectation whatever the others' weights are. One of a plain ReLU network, of one sample, varies by
    5/width (Hanin 2018): the mean's standard error is 0.8 % of it, and less over a batch.
    """
    rows = depth_rows(architectures=[architecture], depths=[50], widths=[256], batch=128, seeds=8)
    log10 = curves(rows, "log10_gradient_norm")[:, 4:-4]
    return float(np.mean(10 ** (2 * (log10[:, :-1] - log10[:, 1:]))))


def largest_difference_in_range() -> float:
    """Decades by which the log-scaled pass differs from the plain one where no element of the latter is subnormal.

    NaN, which fails, where nothing is in range, or nothing is rescaled.
    """
    rows = depth_rows(
        activations=["sigmoid"], initializers=["xavier_normal"], depths=[100], widths=[64], batch=16, seeds=2
    )
    scaled, plain = curves(rows, "log10_gradient"), curves(rows, "float32_gradient")
    in_range = curves(rows, "log10_gradient_norm") > -30  # elements are below 1e-37 in a share of 1e-5 then
    tells = (in_range.any(axis=1) & ~in_range.all(axis=1)).all()
    return float(np.abs(scaled - plain)[in_range].max()) if tells else math.nan


def difference_beyond_range() -> float:
    """Decades by which 250 layers of sigmoid in float32 (log-scaled) differ from the same in float64 (plain)."""
    grid: dict[str, Any] = {"activations": ["sigmoid"], "initializers": ["xavier_normal"], "depths": [250]}
    grid |= {"widths": [32], "batch": 8, "seeds": 1}
    float32 = curves(depth_rows(**grid), "log10_gradient")
    float64 = curves(depth_rows(**grid, dtypes=["float64"]), "float64_gradient")
    return float(float32[0, 0] - float64[0, 0])


def singular_values(dtype: str) -> float:
    """The largest |s - 1| of the input-output Jacobian of 50 linear layers with orthogonal weights."""
    network = repeat(linear(INITIALIZERS["orthogonal"], 64), 50)
    state = network.init(np.random.default_rng(0), (64, 64), np.dtype(dtype))
    network.forward(state, np.ones((64, 64), dtype))
    jacobian = network.backward(state, np.eye(64, dtype=dtype))
    return float(np.abs(np.linalg.svd(jacobian.astype(np.float64), compute_uv=False) - 1).max())


def doubled_loss(relative: bool) -> float:
    """log10 of what doubling the loss does to a norm: that of all which is farthest from the answer."""
    network = ARCHITECTURES["plain"].build(ACTIVATIONS["tanh"], INITIALIZERS["xavier_normal"], 32, 20)
    rng = np.random.default_rng(0)
    state = network.init(rng, (8, 32), np.dtype(np.float32))
    x, dy = rng.standard_normal((2, 8, 32), np.float32)
    network.forward(state, x)
    once, twice = (_norms(network, state, scale * dy) for scale in (np.float32(1), np.float32(2)))
    added = (twice - twice[0]) - (once - once[0]) if relative else twice - once
    return float(added[np.abs(added - (0.0 if relative else LOG10_2)).argmax()])


def _norms(network: Layer, state: State, dy: Array) -> Array:
    """log10 of the norms of dy, and of the gradients of every layer's input and parameters."""
    network.backward(state, dy)
    arrays = [dy, *(child.saved["dx"] for child in state.children), *(g for _, _, g in parameters(state))]
    return np.array([log10_norm(g) for g in arrays])


def norm_of(element: float, dtype: str = "float32") -> float:
    """log10 of the norm of 10,000 such elements."""
    return log10_norm(np.full((100, 100), element, dtype))


def clipping_norm_of(element: float) -> float:
    """The same, as clipping by global norm sees it."""
    return math.log10(clip_by_global_norm([np.full((100, 100), element, np.float32)], 1e38))


def homogeneity() -> float:
    """Decades by which the norm of a multiple differs from the multiple of the norm, at most."""
    x = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    return max(abs(log10_norm(np.ldexp(x, n)) - log10_norm(x) - n * LOG10_2) for n in (-110, -60, 60, 120))


def dot_product(architecture: str) -> float:
    """<u, J v> - <J'u, v> over their size, in float64; J is that of the output by the input and every parameter.

    J'u is the backward pass, J v a central difference of the forward pass, of which some eight digits are right.
    """
    row = ARCHITECTURES[architecture]
    network = row.build(ACTIVATIONS["tanh"], INITIALIZERS["xavier_normal"], 8, 3 if "depth" in row.kinds else None)
    rng = np.random.default_rng(0)
    shape = (3, 4, 8) if "time" in row.kinds else (6, 8)
    state = network.init(rng, shape, np.dtype(np.float64))
    x = np.asarray(rng.standard_normal(shape))
    u = np.asarray(rng.standard_normal(network.forward(state, x).shape))
    inputs = [(x, network.backward(state, u)), *((p, gradient) for _, p, gradient in parameters(state))]
    pairs = [(array, gradient.copy(), np.asarray(rng.standard_normal(array.shape))) for array, gradient in inputs]
    pulled_back = sum(float(np.vdot(gradient, v)) for _, gradient, v in pairs)

    def moved(step: float) -> Array:
        for array, _, v in pairs:
            array += step * v
        y = network.forward(state, x).copy()
        for array, _, v in pairs:
            array -= step * v
        return y

    step = 1e-5
    pushed = float(np.vdot(u, moved(step) - moved(-step))) / (2 * step)
    return (pushed - pulled_back) / abs(pushed)


def slope(activation: str) -> float:
    """The largest difference of f' from a central difference of f, on float64 points 0.01 or more from any kink."""
    row, step = ACTIVATIONS[activation], 1e-5
    x = np.random.default_rng(0).uniform(-6, 6, 1000)
    x = x[np.all([np.abs(x - kink) > 0.01 for kink in row.kinks], axis=0)] if row.kinks else x
    above, below, y, dx = (np.empty_like(x) for _ in range(4))
    row.forward(above, x + step)
    row.forward(below, x - step)
    row.forward(y, x)
    row.backward(dx, np.ones_like(x), x, y)
    return float(np.abs((above - below) / (2 * step) - dx).max())


KNOWN_ANSWERS = {
    "chi of ReLU at He's variance": KnownAnswer(1.0, 1e-12, lambda: MeanField.of(ACTIVATIONS["relu"]).chi(1.0, 2.0)),
    "plain ReLU, He: squared factor per layer": KnownAnswer(1.0, 0.03, partial(squared_factor, "plain")),
    "BatchNorm, ReLU: factor per layer": KnownAnswer(
        math.sqrt(math.pi / (math.pi - 1)), 0.02 * 1.2112, lambda: math.sqrt(squared_factor("batchnorm"))
    ),
    "residual ReLU, He: squared factor per block": KnownAnswer(2.0, 0.06, partial(squared_factor, "residual")),
    "LayerNorm, ReLU: squared factor per layer": KnownAnswer(1.0, 0.03, partial(squared_factor, "layernorm")),
    # Each of 50 layers rounds each number of a row of 64 by half a unit.
    **{
        f"orthogonal linear network, {dtype}: largest |singular value - 1|": KnownAnswer(
            0.0, 50 * math.sqrt(64) * float(np.finfo(dtype).eps) / 2, partial(singular_values, dtype)
        )
        for dtype in ("float32", "float64")
    },
    "log-scaled pass less the plain one in range, decades": KnownAnswer(0.0, 1e-6, largest_difference_in_range),
    # Both round the same weights: one unit of float32 for each of so many factors.
    "log-scaled pass in float32 less float64's plain one, decades": KnownAnswer(
        0.0, 250 * EPS32 / math.log(10), difference_beyond_range
    ),
    "doubled loss: added to an absolute norm": KnownAnswer(LOG10_2, 1e-12, partial(doubled_loss, relative=False)),
    "doubled loss: added to a relative norm": KnownAnswer(0.0, 1e-12, partial(doubled_loss, relative=True)),
    "log10 of the norm of 10,000 float32 of 1e-24": KnownAnswer(-22.0, EPS32, partial(norm_of, 1e-24)),
    "log10 of the norm of 10,000 float32 of 2^-133": KnownAnswer(2 - 133 * LOG10_2, 1e-12, partial(norm_of, 2.0**-133)),
    "log10 of the norm of 10,000 float32 of 1e30": KnownAnswer(32.0, EPS32, partial(norm_of, 1e30)),
    "log10 of the norm of 10,000 float64 of 1e-300": KnownAnswer(-298.0, 1e-12, partial(norm_of, 1e-300, "float64")),
    "as clipping has it, of 1e-24": KnownAnswer(-22.0, EPS32, partial(clipping_norm_of, 1e-24)),
    "as clipping has it, of 1e30": KnownAnswer(32.0, EPS32, partial(clipping_norm_of, 1e30)),
    "log10 of the norm of 2^n x less that of x and n log10 2": KnownAnswer(0.0, 1e-12, homogeneity),
    **{
        f"{name}: <u, J v> less <J'u, v>, relative": KnownAnswer(0.0, 1e-6, partial(dot_product, name))
        for name in ARCHITECTURES
    },
    **{f"{name}: slope of f less f'": KnownAnswer(0.0, 1e-8, partial(slope, name)) for name in ACTIVATIONS},
}
