"""Multi-head self-attention: y = softmax(q k' / sqrt(d)) v for every head, and the layer with its projections.

Vaswani et al. 2017, Attention Is All You Need, section 3.2. Inside the layer sequences lie one after another,
(N, T, F): one after the other they go from x to y, or from dy to dx, in the caches.
"""

from functools import cache
from typing import Any

import numpy as np

from kernels import jit, tiles
from kernels.blas import gemm_alone
from kernels.checks import (
    check_apart,
    check_dtype,
    check_input,
    check_output,
    check_row,
    check_sequence_shape,
    check_size,
)
from kernels.heads import BLOCK, attend, attend_backward
from kernels.initializers import Initializer
from kernels.intrinsics import load, store
from kernels.jit import kernel, subroutine
from kernels.layer import Array, DType, Layer, State, accept, empty, trainable
from kernels.passes import shared
from kernels.rows import add_parts, share

SMALL = 2**13  # elements of x that one thread does sooner


@subroutine
def _project(y, x, W, b):
    """y = x W + b."""
    for t in range(y.shape[0]):
        ys = y[t]
        for f in range(b.size):
            store(ys, f, load(b, f))
    gemm_alone(y, x, W, False, False, True)


@subroutine
def _project_backward(dW, db, dy, x):
    """dW += x' dy, db += the sum of dy's rows."""
    gemm_alone(dW, x, dy, True, False, True)
    for t in range(dy.shape[0]):
        dys = dy[t]
        for f in range(db.size):
            db[f] += dys[f]


@cache
def _heads_forward() -> Any:
    """y (N, T, F) and p (N, heads, T, T); a is 1 where causal."""

    @kernel(name="heads_forward", sealed=True)
    def loop(y, p, q, k, v, a, part, parts):
        start, stop = share(len(p), 1, part, parts)
        for n in range(start, stop):
            attend(y[n], p[n], q[n], k[n], v[n], a != 0)
        return True

    return loop


@cache
def _heads_backward() -> Any:
    """dp (parts, BLOCK, T) is room for one block."""

    @kernel(name="heads_backward", sealed=True)
    def loop(dq, dk, dv, dp, dy, p, q, k, v, a, part, parts):
        start, stop = share(len(p), 1, part, parts)
        for n in range(start, stop):
            attend_backward(dq[n], dk[n], dv[n], dp[part], dy[n], p[n], q[n], k[n], v[n], a != 0)
        return True

    return loop


@cache
def _forward() -> Any:
    """x, y (T, N, F); q, k, v and the heads' output h (N, T, F)."""

    @kernel(name="attention_forward", sealed=True)
    def loop(y, q, k, v, h, p, x, Wq, Wk, Wv, Wo, bq, bk, bv, bo, a, part, parts):
        start, stop = share(len(p), 1, part, parts)
        for n in range(start, stop):
            _project(q[n], x[:, n], Wq, bq)
            _project(k[n], x[:, n], Wk, bk)
            _project(v[n], x[:, n], Wv, bv)
            attend(h[n], p[n], q[n], k[n], v[n], a != 0)
            _project(y[:, n], h[n], Wo, bo)
        return True

    return loop


@cache
def _backward() -> Any:
    """dW (4, parts, F, F) and db (4, parts, F), of q, k, v and the output, are each part's sums over its sequences.

    room (4, parts, T, F) is for one sequence's dq, dk, dv and dh.
    """

    @kernel(name="attention_backward", sealed=True)
    def loop(dx, dW, db, room, dp, dy, x, q, k, v, h, p, Wq, Wk, Wv, Wo, a, part, parts):
        dq, dk, dv, dh = room[0, part], room[1, part], room[2, part], room[3, part]
        dW[:, part] = 0
        db[:, part] = 0
        start, stop = share(len(p), 1, part, parts)
        for n in range(start, stop):
            _project_backward(dW[3, part], db[3, part], dy[:, n], h[n])
            gemm_alone(dh, dy[:, n], Wo, False, True, False)
            attend_backward(dq, dk, dv, dp[part], dh, p[n], q[n], k[n], v[n], a != 0)
            gemm_alone(dx[:, n], dq, Wq, False, True, False)
            gemm_alone(dx[:, n], dk, Wk, False, True, True)
            gemm_alone(dx[:, n], dv, Wv, False, True, True)
            for i, dz in enumerate((dq, dk, dv)):
                _project_backward(dW[i, part], db[i, part], dz, x[:, n])
        return True

    return loop


def _run(factory: Any, outputs: tuple[Array, ...], inputs: tuple[Array, ...], causal: bool, rows: Array) -> None:
    """Run a loop, the sequences of rows shared among the threads where they are worth it."""
    shared(factory, (), outputs, inputs, float(causal), _threads(rows))


def _threads(x: Array) -> int:
    """How many threads share the sequences."""
    return jit.num_threads() if tiles.AVAILABLE and x.size > SMALL else 1


def _room(dtype: DType, steps: int) -> Array:
    """dp of the kernels, for each of the threads."""
    return empty((jit.max_threads(), min(BLOCK, steps), steps), dtype)


def _check_heads(dtype: DType, p: Array, **sequences: Array) -> None:
    """p must be (N, heads, T, T), the sequences (N, T, F), T at least 1 and F a multiple of heads."""
    check_input("p", p, dtype, None, None, None, None)
    rows, heads, steps, _ = p.shape
    check_input("p", p, dtype, None, None, None, steps)
    name, first = next(iter(sequences.items()))
    check_input(name, first, dtype, rows, steps, None)
    _check_sizes(steps, first.shape[2], heads)
    for name, array in sequences.items():
        check_input(name, array, dtype, *first.shape)


def _check_sizes(steps: int, features: int, heads: int) -> None:
    if steps < 1:
        raise ValueError("there must be at least one time step, got 0")
    if features < 1:
        raise ValueError("there must be at least one feature, got 0")
    if heads < 1 or features % heads != 0:
        raise ValueError(f"heads must divide the features, got {heads} heads and {features} features")


def attention_forward(y: Array, p: Array, q: Array, k: Array, v: Array, causal: bool = False) -> None:
    """p = softmax(q k' / sqrt(d)), y = p v for every head: y, q, k, v (N, T, F), p (N, heads, T, T).

    Head h has the columns h d to (h + 1) d of q, k, v and y, d = F / heads. Where causal, p is 0 for later steps
    than the row's own. float32 or float64, C-contiguous; T is at least 1.
    Raises TypeError or ValueError, naming the argument, before anything is written.
    """
    inputs = {"q": q, "k": k, "v": v}
    dtype = check_dtype("q", q)
    _check_heads(dtype, p, **inputs)
    check_output("y", y, dtype, *q.shape)
    check_output("p", p, dtype, *p.shape)
    check_apart("y", y, p=p, **inputs)
    check_apart("p", p, **inputs)
    _run(_heads_forward, (y, p), (q, k, v), causal, q)


def attention_backward(
    dq: Array, dk: Array, dv: Array, dy: Array, p: Array, q: Array, k: Array, v: Array, causal: bool = False
) -> None:
    """The gradients of attention_forward's q, k and v, overwritten, given dy (N, T, F) and the p that it wrote.

    Raises TypeError or ValueError, naming the argument, before anything is written.
    """
    inputs = {"dy": dy, "q": q, "k": k, "v": v}
    dtype = check_dtype("q", q)
    _check_heads(dtype, p, **inputs)
    outputs = {"dq": dq, "dk": dk, "dv": dv}
    for name, output in outputs.items():
        check_output(name, output, dtype, *q.shape)
        others = {other: array for other, array in outputs.items() if other != name}
        check_apart(name, output, p=p, **others, **inputs)
    _run(_heads_backward, (dq, dk, dv, _room(dtype, q.shape[1])), (dy, p, q, k, v), causal, q)


def attention(initializer: Initializer, heads: int, causal: bool = False) -> Layer:
    """Multi-head self-attention over x (T, N, F): q, k, v = x W + b, the heads side by side, y = h Wo + bo.

    params Wq, Wk, Wv, Wo (F, F) and bq, bk, bv, bo (F,); saved x, y, dx (T, N, F), q, k, v, h (N, T, F),
    where h is the heads' output, and the probabilities p (N, heads, T, T). ValueError unless F is a
    multiple of heads and T at least 1.
    """
    check_row("initializer", initializer, Initializer)
    check_size("heads", heads)
    weights, biases = ("Wq", "Wk", "Wv", "Wo"), ("bq", "bk", "bv", "bo")

    def init(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> State:
        check_sequence_shape(shape)
        steps, rows, features = shape
        _check_sizes(steps, features, heads)
        state = trainable(
            **{name: initializer.draw(rng, features, features, dtype) for name in weights},
            **{name: initializer.bias(rng, features, features, dtype) for name in biases},
        )
        state.saved |= {name: empty(shape, dtype) for name in ("y", "dx")}
        state.saved |= {name: empty((rows, steps, features), dtype) for name in ("q", "k", "v", "h")}
        state.saved["p"] = empty((rows, heads, steps, steps), dtype)
        threads = jit.max_threads()
        state.workspace["dW"] = empty((4, threads, features, features), dtype)
        state.workspace["db"] = empty((4, threads, features), dtype)
        state.workspace["room"] = empty((4, threads, steps, features), dtype)
        state.workspace["dp"] = _room(dtype, steps)
        return state

    def forward(state: State, x: Array) -> Array:
        saved, params = state.saved, state.params
        accept(state, "x", x, saved["dx"])
        outputs = tuple(saved[name] for name in ("y", "q", "k", "v", "h", "p"))
        _run(_forward, outputs, (x, *(params[name] for name in weights + biases)), causal, x)
        return saved["y"]

    def backward(state: State, dy: Array) -> Array:
        saved, params, grads = state.saved, state.params, state.grads
        accept(state, "dy", dy, saved["y"])
        work, threads = state.workspace, _threads(dy)
        inputs = (*(saved[name] for name in ("x", "q", "k", "v", "h", "p")), *(params[name] for name in weights))
        _run(_backward, (saved["dx"], *(work[n] for n in ("dW", "db", "room", "dp"))), (dy, *inputs), causal, dy)
        for names, sums in ((weights, work["dW"]), (biases, work["db"])):
            for name, parts in zip(names, sums, strict=True):
                add_parts(grads[name].reshape(-1), parts[:threads].reshape(threads, -1))
        return saved["dx"]

    return Layer(init, forward, backward, f"attention {heads}{' causal' * causal}")
