"""A recurrent layer walked forth and back in pieces: sequences of any length, in the memory of one piece.

Kept of the way forth are the states between pieces; on the way back each piece runs forward again. What kernels.cells
says of pieces holds here: a piece starts from the states that the one before ended with, and gets the gradients of
its last states from the one behind it.
"""

import math
from collections.abc import Sequence

import numpy as np

from kernels.cells import CARRIED
from kernels.layer import Layer, State, copy_weights
from suites.attenuation import LOG10_2, Array, comfort, log10_norm, rescaling, variance

# Steps of a piece: one pass where the gradient stays in the comfortable range, and few enough to begin anew often.
PIECE = 128

# An array (N, H) for each that there is: states after a step, or their gradients.
Carried = dict[str, Array]


class Walk:
    """One pass through a sequence of so many steps and back, from the loss at its last step.

    After through(): norms, log10 of the gradient's norm at steps 0 to the last, of h and, in an LSTM, of c; plain, that
    of h as the dtype keeps it in a pass without rescaling; variances, of h.

    Between two pieces the gradient is multiplied by a power of two where it would leave the comfortable range; where it
    leaves it within a piece all the same, that is walked in halves, and these in halves. So no step is walked more
    than some log2(PIECE) times, however long the sequence.
    """

    def __init__(self, network: Layer, state: State, length: int) -> None:
        """state: of the network, with its weights, for the first piece."""
        self.network, self.first = network, state
        self.pieces = {len(state.saved["y"]): (state, np.zeros_like(state.saved["y"]))}  # and dy, by their steps
        self.start = _states(state, 0)
        self.norms = {name: np.empty(length + 1) for name in self.start}
        self.plain, self.variances = np.full(length + 1, -math.inf), np.empty(length + 1)
        self.gradient: Carried = {}
        self.power = 0  # of two, that the gradient at hand was multiplied by
        self.rate = 0.0  # decades per step that it gained last

    def through(self, pieces: Sequence[Array], gradient: Array) -> None:
        """Walk the pieces of x, each (steps, N, F), all of the first's steps but the last; gradient (N, H) enters at
        the last h.
        """
        starts = [self.start]
        for x in pieces[:-1]:
            starts.append(_states(self._forward(starts[-1], x), len(x)))
        self.gradient = {name: gradient if name == "h" else np.zeros_like(gradient) for name in self.start}
        plain, end = self.gradient, len(self.plain) - 1
        for start, x in zip(reversed(starts), reversed(pieces), strict=True):
            end -= len(x)
            here = slice(end, end + len(x) + 1)
            state, same = self._forward(start, x), plain is self.gradient
            self.variances[here] = [variance(h) for h in state.saved["h"]]
            self._back(end, start, x, state)
            if same and self.power == 0:
                self.plain[here], plain = self.norms["h"][here], self.gradient
            elif any(g.any() for g in plain.values()):  # what is gone stays gone
                plain = self._backward(state, plain)
                self.plain[here] = _norms(state)["h"]

    def _back(self, at: int, start: Carried, x: Array, state: State) -> None:
        """Carry the gradient back over x, the steps that follow at, given the state after its forward pass."""
        far, ahead = comfort(x.dtype), self.rate * len(x)
        entering = float(np.max([log10_norm(g) for g in self.gradient.values()]))
        power = rescaling(entering, x.dtype, ahead)
        lost, whole = not math.isfinite(entering), abs(entering + power * LOG10_2 + ahead) < far
        if lost or whole or len(x) == 1:
            scaled = {name: np.ldexp(g, power) for name, g in self.gradient.items()} if power else self.gradient
            gradient = self._backward(state, scaled)
            norms = _norms(state)
            largest = np.max([*norms.values()], axis=0)
            if lost or len(x) == 1 or (np.abs(largest[1:]) < far).all():
                self.gradient, self.power = gradient, self.power + power
                if math.isfinite(largest[0]):
                    self.rate = (largest[0] - largest[-1]) / len(x)
                for name, found in norms.items():
                    self.norms[name][at : at + len(x) + 1] = found - self.power * LOG10_2
                return
        half = len(x) // 2
        middle = _states(state, half)
        self._back(at + half, middle, x[half:], self._forward(middle, x[half:]))
        self._back(at, start, x[:half], self._forward(start, x[:half]))

    def _forward(self, start: Carried, x: Array) -> State:
        """The state after a forward pass over x."""
        if len(x) not in self.pieces:
            state = self.network.init(np.random.default_rng(0), x.shape, x.dtype)
            copy_weights(state, self.first)
            self.pieces[len(x)] = state, np.zeros_like(state.saved["y"])
        state, _ = self.pieces[len(x)]
        for name, array in start.items():
            state.saved[name][0] = array
        self.network.forward(state, x)
        return state

    def _backward(self, state: State, gradient: Carried) -> Carried:
        """The gradient at the piece's first states, given that at its last ones."""
        _, dy = self.pieces[len(state.saved["y"])]
        dy[-1] = gradient["h"]
        if "c" in gradient:
            state.saved["dc_last"][...] = gradient["c"]
        self.network.backward(state, dy)
        return {name: state.saved[f"d{name}"][0].copy() for name in gradient}


def _states(state: State, step: int) -> Carried:
    """What a piece has after so many steps."""
    return {name: state.saved[name][step].copy() for name in CARRIED if name in state.saved}


def _norms(state: State) -> dict[str, Array]:
    """log10 of the norm of each gradient at the states before and after the piece's steps.

    The first of c lacks what h adds to it, which the piece before will know.
    """
    gradients = {name: state.saved[f"d{name}"] for name in CARRIED if name in state.saved}
    return {name: np.array([log10_norm(g) for g in steps]) for name, steps in gradients.items()}
