"""The gradient on its way back through a network's blocks, beyond the range of its dtype, and as the dtype keeps it."""

import math
from dataclasses import dataclass

import numpy as np

from kernels.layer import Array, DType, Layer
from suites.attenuation import LOG10_2, comfort, largest_exponent, log10_norm, rescaling
from suites.blocks import Blocks
from suites.naming import named
from suites.stored import Stored

# A norm between 2^-109 and 2^109 (float32) is right to rounding: most of what it sums is in range, whatever the shape.
# Bits that are left to the ends of the dtype:
CLOSE = 19
# A block is not run again for fewer bits than these, which would tell nothing new.
WORTHWHILE = 16


@dataclass(frozen=True)
class Descent:
    """One way back: norms, log10 of the gradient's at positions 0 to the last; weight_norms, those of each parameter's
    gradient in each block, by name; stored, what the dtype keeps in a pass without rescaling.
    """

    norms: Array
    weight_norms: dict[str, Array]
    stored: Stored


def descend(network: Layer, blocks: Blocks, dy: Array) -> Descent:
    """Run network's blocks backward, from dy at the last position, after a forward pass.

    Where the gradient leaves the comfortable range it is multiplied by a power of two, as often as it takes. The power
    is exact: in range both passes are equal. Where a block takes its gradient, or a parameter's, so far at once that
    digits are lost, it runs again on a gradient from the other end of the range.
    """
    last = len(blocks.states)
    norms, stored = np.empty(last + 1), Stored(network, last)
    gradients = {name: gradient for name, (_, gradient) in named(blocks.states[0]).items()}  # all blocks share them
    weight_norms = {name: np.empty(last) for name in gradients}
    norms[last] = log10_norm(dy)
    stored.note(slice(last, None), dy[None], norms[last])
    plain: tuple[int, Array] | None = None  # where, and with what, the pass without rescaling goes on by itself
    power = 0  # of two, that the gradient at hand was multiplied by
    for i in reversed(range(last)):
        layer, state = blocks.layers[i], blocks.states[i]
        entering, dx = norms[i + 1] + power * LOG10_2, layer.backward(state, dy)
        found = _norms(gradients, dx)
        if plain is None:
            stored.note(slice(i, i + 1), dx[None], found[""])
        if added := _closer(found, entering, comfort(dx.dtype), dx.dtype):
            plain = plain or (i, dx.copy())
            power += added
            dx = layer.backward(state, np.ldexp(dy, added))
            found = _norms(gradients, dx)
        for name, norm in found.items():
            (weight_norms[name] if name else norms)[i] = norm - power * LOG10_2
        stored.reach(slice(i, i + 1), dx[None], norms[i], power)
        if added := rescaling(found[""], dx.dtype):
            plain = plain or (i, dx.copy())
            power += added
            np.ldexp(dx, added, out=dx)
        dy = dx
    if plain is not None:
        _keep(stored, blocks, *plain)
    return Descent(norms, weight_norms, stored)


def descend_plainly(network: Layer, blocks: Blocks, dy: Array) -> Stored:
    """What the dtype keeps of dy's way back by the derivatives of network, which has the states of blocks."""
    stored = Stored(network, len(blocks.states))
    stored.note(slice(stored.last, None), dy[None])
    _keep(stored, blocks, stored.last, dy)
    return stored


def _keep(stored: Stored, blocks: Blocks, at: int, dy: Array) -> None:
    """Run what is below position at backward, as it is."""
    with blocks.of_inputs_alone():
        for i in reversed(range(at)):
            if not dy.any():  # what is gone stays gone
                return
            dy = stored.layer.layers[i].backward(blocks.states[i], dy)
            stored.note(slice(i, i + 1), dy[None])


def _norms(gradients: dict[str, Array], dx: Array) -> dict[str, float]:
    """log10 of the norm of the gradient, as "", and of those of the parameters."""
    return {"": log10_norm(dx)} | {name: log10_norm(gradient) for name, gradient in gradients.items()}


def _closer(found: dict[str, float], entering: float, far: float, dtype: DType) -> int:
    """The power of two that takes the entering gradient to the other end of the range, if a norm found lost digits."""
    sound = (largest_exponent(dtype) - CLOSE) * LOG10_2
    lost = [norm for norm in found.values() if abs(norm) > sound]
    if not lost or not math.isfinite(entering):
        return 0
    added = round((math.copysign(0.9 * far, -lost[0]) - entering) / LOG10_2)
    return added if math.copysign(added, -lost[0]) == added and abs(added) >= WORTHWHILE else 0
