"""JAX's layers and training steps: functions of (parameters, x) by their formulas, through jax.jit and jax.vjp."""

from collections.abc import Callable
from typing import Any

from suites.jax_elements import imported
from suites.problems import Entry, Problem

# f(jax, problem) gives the function of parameters by name, in gradfade's layout, and x.
Build = Callable[[Any, Problem], Callable[[dict[str, Any], Any], Any]]


def layer(build: Build) -> Callable[[Problem, str], Entry]:
    """A layer's forward pass, or that and its vector-Jacobian product."""

    def entry(problem: Problem, direction: str) -> Entry:
        jax = imported()
        f = build(jax, problem)
        params, x, dy = jax.tree.map(jax.numpy.asarray, (dict(problem.params), problem.x, problem.dy))

        def both(params: Any, x: Any, dy: Any) -> tuple[Any, ...]:
            y, pullback = jax.vjp(f, params, x)
            return (y, *pullback(dy))

        def read(results: Any) -> list[Any]:
            y, gradients, dx = results
            return [y, dx, *(gradients[name] for name in problem.params)]

        if direction == "forward":
            forward = jax.jit(f)
            return Entry(call=lambda: jax.block_until_ready(forward(params, x)), read=lambda y: [y])
        backward = jax.jit(both)
        return Entry(call=lambda: jax.block_until_ready(backward(params, x, dy)), read=read)

    return entry


def _scan(step: Callable[..., Any], states: int) -> Build:
    """step(jax, p, state, inputs of the step) gives the next state, of which the first array is what comes out."""

    def build(jax: Any, problem: Problem) -> Callable[[dict[str, Any], Any], Any]:
        def f(p: dict[str, Any], x: Any) -> Any:
            zero = jax.numpy.zeros((x.shape[1], p["Wh"].shape[0]), x.dtype)

            def body(state: Any, inputs: Any) -> Any:
                state = step(jax, p, state, inputs)
                return state, state[0]

            return jax.lax.scan(body, (zero,) * states, x @ p["Wx"] + p["b"])[1]

        return f

    return build


def _rnn_step(jax: Any, p: dict[str, Any], state: Any, inputs: Any) -> Any:
    return (jax.numpy.tanh(inputs + state[0] @ p["Wh"]),)


def _lstm_step(jax: Any, p: dict[str, Any], state: Any, inputs: Any) -> Any:
    h, c = state
    i, f, g, o = jax.numpy.split(inputs + h @ p["Wh"], 4, axis=-1)
    sigmoid, tanh = jax.nn.sigmoid, jax.numpy.tanh
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(c), c


def _gru_step(jax: Any, p: dict[str, Any], state: Any, inputs: Any) -> Any:
    (h,) = state
    products = jax.numpy.split(h @ p["Wh"], 3, axis=-1)
    r, z, n = (a + b for a, b in zip(jax.numpy.split(inputs, 3, axis=-1), (*products[:2], 0.0), strict=True))
    r, z = jax.nn.sigmoid(r), jax.nn.sigmoid(z)
    n = jax.numpy.tanh(n + r * (products[2] + p["bh"]))
    return ((1 - z) * n + z * h,)


rnn, lstm, gru = _scan(_rnn_step, 1), _scan(_lstm_step, 2), _scan(_gru_step, 1)


def softmax(jax: Any, problem: Problem) -> Any:
    """Over the last axis."""
    return lambda p, x: jax.nn.softmax(x)


def layer_norm(jax: Any, problem: Problem) -> Any:
    """Over the last axis."""
    return lambda p, x: _standard(jax, x, -1) * p["gamma"] + p["beta"]


def batch_norm(jax: Any, problem: Problem) -> Any:
    """Over the first axis, by the batch's statistics; it keeps no running ones."""
    return lambda p, x: _standard(jax, x, 0) * p["gamma"] + p["beta"]


def _standard(jax: Any, x: Any, axis: int) -> Any:
    gap = x - x.mean(axis, keepdims=True)
    return gap * jax.lax.rsqrt((gap * gap).mean(axis, keepdims=True) + 1e-5)


def rms_norm(jax: Any, problem: Problem) -> Any:
    """Over the last axis."""
    return lambda p, x: x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-5) * p["gamma"]


def attention(jax: Any, problem: Problem) -> Any:
    """jax.nn.dot_product_attention between the projections."""
    heads, causal = problem.given["heads"], problem.given.get("causal", False)

    def f(p: dict[str, Any], x: Any) -> Any:
        steps, batch, width = x.shape
        q, k, v = (
            (x @ p[f"W{name}"] + p[f"b{name}"]).reshape(steps, batch, heads, -1).swapaxes(0, 1) for name in "qkv"
        )
        mixed = jax.nn.dot_product_attention(q, k, v, is_causal=causal)
        return mixed.swapaxes(0, 1).reshape(steps, batch, width) @ p["Wo"] + p["bo"]

    return f


def transformer(post: bool) -> Build:
    """Attention and two dense layers of GELU, each with its Add & Norm after it, or the norm before it."""

    def build(jax: Any, problem: Problem) -> Any:
        attend = attention(jax, problem)

        def norm(p: dict[str, Any], x: Any, which: int) -> Any:
            return _standard(jax, x, -1) * p[f"gamma{which}"] + p[f"beta{which}"]

        def dense(p: dict[str, Any], x: Any) -> Any:
            return jax.nn.gelu(x @ p["W1"] + p["b1"], approximate=False) @ p["W2"] + p["b2"]

        def f(p: dict[str, Any], x: Any) -> Any:
            if post:
                x = norm(p, x + attend(p, x), 1)
                return norm(p, x + dense(p, x), 2)
            x = x + attend(p, norm(p, x, 1))
            return x + dense(p, norm(p, x, 2))

        return f

    return build


def cross_entropy(jax: Any, problem: Problem) -> Any:
    """Its mean over the rows."""
    labels = jax.numpy.asarray(problem.given["labels"])
    return lambda p, x: -jax.numpy.take_along_axis(jax.nn.log_softmax(x), labels[:, None], axis=1).mean()


def mse(jax: Any, problem: Problem) -> Any:
    """Its mean over all elements."""
    target = jax.numpy.asarray(problem.given["target"])
    return lambda p, x: ((x - target) ** 2).mean()


def training_step(problem: Problem, direction: str) -> Entry:
    """Loss, gradients and Adam in one compiled function; it gives new parameters and moments, which are kept."""
    jax = imported()
    loss_of = cross_entropy(jax, problem)
    name = problem.given["activation"]
    activate = (lambda z: jax.nn.gelu(z, approximate=False)) if name == "gelu" else getattr(jax.nn, name)
    layers = len(problem.params) // 2

    def network(params: Any, x: Any) -> Any:
        for i in range(layers):
            h = x @ params[2 * i] + params[2 * i + 1]
            x = activate(h) if i < layers - 1 else h
        return loss_of(None, x)

    def update(params: Any, moments: Any, squares: Any, step: Any, x: Any) -> Any:
        loss, gradients = jax.value_and_grad(network)(params, x)
        moments = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, moments, gradients)
        squares = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, squares, gradients)
        rates = 1 - 0.9**step, 1 - 0.999**step
        moved = jax.tree.map(
            lambda p, m, v: p - 0.0 * (m / rates[0]) / (jax.numpy.sqrt(v / rates[1]) + 1e-8), params, moments, squares
        )
        return loss, gradients, (moved, moments, squares, step + 1)

    compiled = jax.jit(update)
    params, x = jax.tree.map(jax.numpy.asarray, (list(problem.params.values()), problem.x))
    zeros = jax.tree.map(jax.numpy.zeros_like, params)
    state = params, zeros, zeros, jax.numpy.float32(1)

    def call() -> Any:
        nonlocal state
        loss, gradients, state = jax.block_until_ready(compiled(*state, x))
        return loss, gradients

    return Entry(call=call, read=lambda results: [results[0], *results[1]])
