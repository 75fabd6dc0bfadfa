"""Batch normalisation of every column of x (N, F) (Ioffe & Szegedy 2015): y = (x - mean) rstd gamma + beta.

rstd = 1 / sqrt(variance + EPSILON). In training mean and the biased variance are the batch's, and the running ones,
of the unbiased variance, move towards them by MOMENTUM; in evaluation they are the running ones.
"""

import numpy as np

from kernels import columns, jit, passes
from kernels.checks import check_dtype, check_input, check_outputs
from kernels.layer import Array, DType, Layer, State, accept, empty, trainable
from kernels.loops import SMALL


def _threads(x: Array) -> int:
    return 1 if x.size <= SMALL else jit.num_threads()


def _check_matrix(x: Array, dtype: DType, **vectors: Array) -> None:
    """Raise unless x is (N, F) and the others are (F,)."""
    check_input("x", x, dtype, None, None)
    for name, array in vectors.items():
        check_input(name, array, dtype, x.shape[1])


def _check_batch(shape: tuple[int, ...]) -> None:
    """ValueError unless a batch of that shape has a variance."""
    if shape[0] < 2:
        raise ValueError(f"x must have at least 2 rows to normalise a training batch, got shape {shape}")


def batch_norm_forward(
    y: Array, mean: Array, rstd: Array, running_mean: Array, running_var: Array, x: Array, gamma: Array, beta: Array
) -> None:
    """y = (x - mean) rstd gamma + beta with the statistics of the batch x (N, F), N >= 2; y (N, F), all others (F,).

    Writes mean and rstd, and moves running_mean and running_var, which has N / (N - 1) of the biased variance, by
    MOMENTUM. float32 or float64, C-contiguous. Ioffe & Szegedy 2015, algorithm 1, with EPSILON, 1e-5. However large the
    mean is beside the deviation, y is that of x within the rounding of sums over N rows; x may be up to half of the
    largest number, though running_var is inf where a variance exceeds that. A column with nan or inf is nan.
    Raises TypeError or ValueError, naming the argument, before anything is written.
    """
    dtype = check_dtype("x", x)
    _check_matrix(x, dtype, gamma=gamma, beta=beta)
    _check_batch(x.shape)
    outputs = {"mean": mean, "rstd": rstd, "running_mean": running_mean, "running_var": running_var}
    shapes = {"y": (y, x.shape), **{name: (array, gamma.shape) for name, array in outputs.items()}}
    check_outputs(dtype, shapes, {"x": x, "gamma": gamma, "beta": beta})
    passes.shared(columns.train, (), (y, *outputs.values()), (x, gamma, beta), threads=_threads(x))


def batch_norm_evaluate(y: Array, x: Array, gamma: Array, beta: Array, running_mean: Array, running_var: Array) -> None:
    """y = (x - running_mean) / sqrt(running_var + EPSILON) gamma + beta: x, y (N, F), all others (F,).

    Raises TypeError or ValueError, naming the argument, before anything is written.
    """
    dtype = check_dtype("x", x)
    inputs = {"gamma": gamma, "beta": beta, "running_mean": running_mean, "running_var": running_var}
    _check_matrix(x, dtype, **inputs)
    check_outputs(dtype, {"y": (y, x.shape)}, {"x": x, **inputs})
    passes.shared(columns.evaluate, (), (y,), (x, *inputs.values()), threads=_threads(x))


def batch_norm_backward(
    dx: Array, dgamma: Array, dbeta: Array, dy: Array, x: Array, mean: Array, rstd: Array, gamma: Array
) -> None:
    """The gradients of batch_norm_forward's x, gamma and beta, overwritten, given dy (N, F) and what forward wrote.

    Raises TypeError or ValueError, naming the argument, before anything is written.
    """
    dtype = check_dtype("x", x)
    _check_matrix(x, dtype, mean=mean, rstd=rstd, gamma=gamma)
    _check_batch(x.shape)
    _check_gradients(dx, dgamma, dbeta, dy, x=x, mean=mean, rstd=rstd, gamma=gamma)
    outputs, inputs = (dx, dgamma, dbeta), (dy, x, mean, rstd, gamma)
    passes.shared(columns.backward, (True,), outputs, inputs, threads=_threads(x))


def batch_norm_evaluate_backward(
    dx: Array,
    dgamma: Array,
    dbeta: Array,
    dy: Array,
    x: Array,
    gamma: Array,
    running_mean: Array,
    running_var: Array,
) -> None:
    """The gradients of batch_norm_evaluate's x, gamma and beta, overwritten, given dy (N, F).

    Raises TypeError or ValueError, naming the argument, before anything is written.
    """
    dtype = check_dtype("x", x)
    _check_matrix(x, dtype, gamma=gamma, running_mean=running_mean, running_var=running_var)
    _check_gradients(dx, dgamma, dbeta, dy, x=x, gamma=gamma, running_mean=running_mean, running_var=running_var)
    outputs, inputs = (dx, dgamma, dbeta), (dy, x, running_mean, running_var, gamma)
    passes.shared(columns.backward, (False,), outputs, inputs, threads=_threads(x))


def _check_gradients(dx: Array, dgamma: Array, dbeta: Array, dy: Array, **inputs: Array) -> None:
    x, gamma = inputs["x"], inputs["gamma"]
    check_input("dy", dy, x.dtype, *x.shape)
    shapes = {"dx": (dx, x.shape), "dgamma": (dgamma, gamma.shape), "dbeta": (dbeta, gamma.shape)}
    check_outputs(x.dtype, shapes, {"dy": dy, **inputs})


def batch_norm() -> Layer:
    """The layer over x (N, F). params gamma, from 1, and beta, from 0; buffers running_mean, from 0, and running_var,
    from 1; saved y, mean, rstd, dx. Backward, like forward, goes by state.training; training needs N >= 2 (ValueError).
    """

    def init(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> State:
        if len(shape) != 2:
            raise ValueError(f"shape must be (rows, features), got {shape}")
        ones, zeros = np.ones(shape[1], dtype), np.zeros(shape[1], dtype)
        state = trainable(gamma=ones, beta=zeros)
        state.saved |= {name: empty(shape, dtype) for name in ("y", "dx")}
        state.saved |= {name: empty(shape[1:], dtype) for name in ("mean", "rstd")}
        state.buffers |= {"running_mean": zeros, "running_var": ones}
        return state

    def forward(state: State, x: Array) -> Array:
        params, saved, running = state.params, state.saved, state.buffers
        accept(state, "x", x, saved["dx"])
        gamma, beta = params["gamma"], params["beta"]
        if state.training:
            _check_batch(x.shape)
            outputs = saved["y"], saved["mean"], saved["rstd"], running["running_mean"], running["running_var"]
            passes.shared(columns.train, (), outputs, (x, gamma, beta), threads=_threads(x))
        else:
            inputs = x, gamma, beta, running["running_mean"], running["running_var"]
            passes.shared(columns.evaluate, (), (saved["y"],), inputs, threads=_threads(x))
        return saved["y"]

    def backward(state: State, dy: Array) -> Array:
        grads, saved = state.grads, state.saved
        accept(state, "dy", dy, saved["y"])
        running = state.buffers["running_mean"], state.buffers["running_var"]
        statistics = (saved["mean"], saved["rstd"]) if state.training else running
        outputs, inputs = (saved["dx"], grads["gamma"], grads["beta"]), (dy, saved["x"], *statistics)
        passes.shared(
            columns.backward, (state.training,), outputs, (*inputs, state.params["gamma"]), threads=_threads(saved["x"])
        )
        return saved["dx"]

    return Layer(init, forward, backward, "batch_norm")
