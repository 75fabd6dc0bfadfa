"""JAX as its users call it: one function per activation, through jax.jit, on one thread."""

import os
from collections.abc import Callable
from typing import Any

from kernels import ACTIVATIONS
from suites.gradfade_calls import Arrays, Call


def imported() -> Any:
    """The package, on one thread, with float64."""
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    import jax

    jax.config.update("jax_enable_x64", True)
    return jax


def jax(activation: str, direction: str, into: bool, arrays: Arrays) -> Call:
    """jax.jit of the function in jax.nn, and of its vector-Jacobian product."""
    jax = imported()
    jnp = jax.numpy
    functions: dict[str, Callable[..., Any]] = {
        "tanh": jnp.tanh,
        "prelu": lambda x, a: jnp.where(x >= 0, x, a * x),
        "gelu": lambda x: jax.nn.gelu(x, approximate=False),
        "gelu_tanh": lambda x: jax.nn.gelu(x, approximate=True),
        "softsign": jax.nn.soft_sign,
        "hardtanh": jax.nn.hard_tanh,
        "hardsigmoid": jax.nn.hard_sigmoid,
        "hardswish": jax.nn.hard_swish,
        "erf": jax.lax.erf,
    }
    f = functions.get(activation) or getattr(jax.nn, activation)
    row = ACTIVATIONS[activation]
    slope = [jnp.asarray(arrays.x.dtype.type(row.a))] if row.learns else []

    def both(x: Any, dy: Any, *slope: Any) -> tuple[Any, ...]:
        y, pullback = jax.vjp(f, x, *slope)
        return (y, *pullback(dy))

    compiled = {
        "forward": jax.jit(lambda x, dy, *slope: (f(x, *slope),)),
        "backward": jax.jit(lambda *given: both(*given)[1:]),
        "forward_backward": jax.jit(both),
    }[direction]
    given = (jnp.asarray(arrays.x), jnp.asarray(arrays.dy), *slope)
    return lambda: jax.block_until_ready(compiled(*given))
