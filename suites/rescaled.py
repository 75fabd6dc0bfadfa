"""The gradient of a Transformer at every step of its input, beyond the range of its dtype, each step's by itself.

Post-norm stacks take it from late steps to early ones: its sizes come to differ by more than a dtype's range, so that
no one power of two would do for all of them.
"""

import numpy as np

from kernels.layer import Layer, State
from suites.attenuation import LOG10_2, Array, comfort, log10_norm


def rescaled(network: Layer, state: State, dy: Array) -> tuple[Array, Array]:
    """The gradient at each step of the input of a chain of causal blocks, and what power of two multiplied it.

    dy (T, N, F) is that of the output, and state that after a plain backward pass: up to the block that a step leaves
    the comfortable range in, the gradient is what that left. From there on blocks run backward again, each step times
    a power of two of its own.
    """
    far = comfort(dy.dtype)
    powers = np.zeros(len(dy), int)  # of two, that each step of dy was multiplied by
    norms = norms_of(dy)
    for layer, child in reversed([*zip(network.layers, state.children, strict=True)]):
        dx = child.saved["dx"]
        if powers.any() or not (_within(norms, far) and _within(norms_of(dx), far)):
            dx, powers = _block(layer, child, dy, powers)
        dy, norms = dx, norms_of(dx)
    return dy, powers


def _block(layer: Layer, child: State, dy: Array, powers: Array) -> tuple[Array, Array]:
    """The gradient at the block's input, and what power of two each step of it was multiplied by.

    Steps that fit into one range go back together, the others after them: a gradient is the sum of what its steps make.
    """
    far = 0.9 * comfort(dy.dtype) / LOG10_2
    sizes = norms_of(dy) / LOG10_2 - powers  # log2 of the norms
    left = sizes > -np.inf
    if not (left.any() and np.isfinite(sizes[left]).all()):
        return layer.backward(child, dy), powers
    parts, scales = [], []
    while left.any():
        scales.append(round(far - sizes[left].max()))
        together = left & (sizes + scales[-1] > -far)
        part = np.zeros_like(dy)
        part[together] = np.ldexp(dy[together], (scales[-1] - powers[together])[:, None, None])
        parts.append(layer.backward(child, part).copy())
        left &= ~together
    reached = np.array([norms_of(part) / LOG10_2 - scale for part, scale in zip(parts, scales, strict=True)])
    powers = np.array(scales)[reached.argmax(axis=0)]  # those of the largest part of each step
    shifts = [(powers - scale)[:, None, None] for scale in scales]
    return np.sum([np.ldexp(part, shift) for part, shift in zip(parts, shifts, strict=True)], axis=0), powers


def norms_of(gradient: Array) -> Array:
    """log10 of the norm of each step."""
    return np.array([log10_norm(step) for step in gradient])


def _within(norms: Array, far: float) -> bool:
    """Whether all gradients but those that are exactly 0 are comfortable."""
    return bool((np.abs(norms[norms > -np.inf]) < far).all() and not np.isnan(norms).any())
