"""A recurrent layer walked forth and back in pieces: sequences of any length, in the memory of one piece.

Kept of the way forth are the states between pieces; on the way back each piece runs forward again. What kernels.cells
says of pieces holds here: a piece starts from the states that the one before ended with, and gets the gradients of
its last states from the one behind it.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.cells import CARRIED
from kernels.layer import Layer, State, copy_weights
from suites.attenuation import LOG10_2, Array, comfort, log10_norm, rescaling, variance
from suites.stored import Stored

# Steps of a piece: one pass where the gradient stays in the comfortable range, and few enough to begin anew often.
PIECE = 128

# An array (N, H) for each that there is: states after a step, or their gradients.
Carried = dict[str, Array]


class Drawn(Sequence[Array]):
    """Inputs (length, N, F) ~ N(0, 1) in pieces: each is drawn anew when it is asked for, the first time in order."""

    def __init__(self, rng: np.random.Generator, length: int, row: tuple[int, int], dtype: np.dtype[Any]) -> None:
        self.rng, self.row, self.dtype = rng, row, dtype
        self.sizes = [min(PIECE, length - at) for at in range(0, length, PIECE)]
        self.states = [rng.bit_generator.state]

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, i: Any) -> Any:
        self.rng.bit_generator.state = self.states[i]
        x = self.rng.standard_normal((self.sizes[i], *self.row)).astype(self.dtype)
        if i + 1 == len(self.states):
            self.states.append(self.rng.bit_generator.state)
        return x


class Walk:
    """One pass through a sequence of so many steps and back, from the loss at its last step.

    After through(): norms, log10 of the gradient's norm at steps 0 to the last, of h and, in an LSTM, of c; stored,
    what the dtype keeps of h's, by network's derivatives and by those of each of others; variances, of h.

    Between two pieces the gradient is multiplied by a power of two where it would leave the comfortable range; where it
    leaves it within a piece all the same, that is walked in halves, and these in halves. So no step is walked more
    than some log2(PIECE) times, however long the sequence.
    """

    def __init__(self, network: Layer, weights: State, length: int, others: Sequence[Layer] = ()) -> None:
        """weights: a state of the network, of any size, whose parameters are used. others: the network with other
        derivatives.
        """
        self.network, self.weights = network, weights
        self.pieces: dict[int, tuple[State, Array]] = {}  # and dy, by their steps
        self.norms: dict[str, Array] = {}
        self.stored = [Stored(layer, length) for layer in (network, *others)]
        self.variances = np.empty(length + 1)
        self.gradient: Carried = {}
        self.power = 0  # of two, that the gradient at hand was multiplied by
        self.rate = 0.0  # decades per step that it gained last

    def through(self, pieces: Sequence[Array], gradient: Array) -> None:
        """Walk the pieces of x, each (steps, N, F), from states of 0; gradient (N, H) enters at the last h.

        Each piece is asked for twice, first to last and last to first, and not kept.
        """
        at = [0]
        starts = [{name: np.zeros_like(gradient) for name in CARRIED if name in self.weights.saved}]
        for x in pieces:
            at.append(at[-1] + len(x))
            starts.append(_states(self._forward(starts[-1], x), len(x)))
        self.norms = {name: np.empty(at[-1] + 1) for name in starts[0]}
        self.gradient = {name: gradient if name == "h" else np.zeros_like(gradient) for name in starts[0]}
        for stored in self.stored:
            stored.gradient = self.gradient
        for i in reversed(range(len(pieces))):
            x = pieces[i]
            here = slice(at[i], at[i + 1] + 1)
            state, entering = self._forward(starts[i], x), self.gradient
            self.variances[here] = [variance(h) for h in state.saved["h"]]
            plain = self._back(at[i], starts[i], x, state)
            for stored in self.stored:
                if plain and stored.gradient is entering and stored.layer is self.network:
                    stored.note(here, state.saved["dh"], self.norms["h"][here])
                    stored.gradient = self.gradient
                elif any(g.any() for g in stored.gradient.values()):  # what is gone stays gone
                    stored.gradient = self._backward(state, stored.gradient, stored.layer)
                    stored.note(here, state.saved["dh"])

    def _back(self, at: int, start: Carried, x: Array, state: State) -> bool:
        """Carry the gradient back over x, the steps that follow at, given the state after its forward pass.

        Whether that took one pass alone, of a gradient that was never rescaled: state has it.
        """
        far, ahead = comfort(x.dtype), self.rate * len(x)
        entering = float(np.max([log10_norm(g) for g in self.gradient.values()]))
        power = rescaling(entering, x.dtype, ahead)
        lost, whole = not math.isfinite(entering), abs(entering + power * LOG10_2 + ahead) < far
        if lost or whole or len(x) == 1:
            scaled = {name: np.ldexp(g, power) for name, g in self.gradient.items()} if power else self.gradient
            gradient = self._backward(state, scaled, self.network)
            norms = _norms(state)
            largest = np.max([*norms.values()], axis=0)
            if lost or len(x) == 1 or (np.abs(largest[1:]) < far).all():
                self.gradient, self.power = gradient, self.power + power
                if math.isfinite(largest[0]):
                    self.rate = (largest[0] - largest[-1]) / len(x)
                here = slice(at, at + len(x) + 1)
                for name, found in norms.items():
                    self.norms[name][here] = found - self.power * LOG10_2
                self.stored[0].reach(here, state.saved["dh"], self.norms["h"][here], self.power)
                return self.power == 0
        half = len(x) // 2
        middle = _states(state, half)
        self._back(at + half, middle, x[half:], self._forward(middle, x[half:]))
        self._back(at, start, x[:half], self._forward(start, x[:half]))
        return False

    def _forward(self, start: Carried, x: Array) -> State:
        """The state after a forward pass over x."""
        if len(x) not in self.pieces:
            state = self.network.init(np.random.default_rng(0), x.shape, x.dtype)
            copy_weights(state, self.weights)
            self.pieces[len(x)] = state, np.zeros_like(state.saved["y"])
        state, _ = self.pieces[len(x)]
        for name, array in start.items():
            state.saved[name][0] = array
        self.network.forward(state, x)
        return state

    def _backward(self, state: State, gradient: Carried, layer: Layer) -> Carried:
        """The gradient at the piece's first states, given that at its last ones."""
        _, dy = self.pieces[len(state.saved["y"])]
        dy[-1] = gradient["h"]
        if "c" in gradient:
            state.saved["dc_last"][...] = gradient["c"]
        layer.backward(state, dy)
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
