"""CONTENDERS: what else computes these activations, networks and products on a CPU, on one thread.

A contender's element(activation, direction, into, arrays) gives the call to time; into: whether results go into
arrays.y and arrays.dx, given beforehand, or into fresh memory. The call returns what it computed: (y,), (dx,) or
(y, dx), with the gradient da of a learned parameter behind it. Of network, the call gives (y, dx) of dense layers in a
row; of product(out, a, b), (out,).
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from kernels import ACTIVATIONS, piecewise
from kernels.elementwise import Activation
from kernels.layer import Array, Layer, State
from suites import gradfade_calls, jax_elements, numexpr_elements, onnx_elements, pytorch, torch_modes
from suites.gradfade_calls import Arrays as Arrays
from suites.gradfade_calls import Call
from suites.threads import one_thread

OWN = "gradfade"
NAMES = tuple(pytorch.OPERATORS)
DIRECTIONS = ("forward", "backward", "forward_backward")


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One contender: the packages it needs, how it is called, and what it has.

    offers(activation, direction, into) tells of element, which knows dtypes alone. obstacle() says why it cannot run
    although its packages are there. mode is entered while calls that want no gradient are timed. trains: whether it
    gives gradients of layers. in_threads(n) has it run in n threads while the context lasts, where a process can.
    """

    name: str
    needs: tuple[str, ...] = ()
    element: Callable[[str, str, bool, Arrays], Call] | None = None
    offers: Callable[[str, str, bool], bool] = lambda activation, direction, into: True
    dtypes: tuple[str, ...] = ("float32", "float64")
    network: Callable[[str, Layer, State, Array, Array], Call] | None = None
    product: Callable[[Array, Array, Array], Call] | None = None
    obstacle: Callable[[], str] = lambda: ""
    mode: Callable[[], AbstractContextManager[Any]] = nullcontext
    trains: bool = True
    in_threads: Callable[[int], AbstractContextManager[Any]] | None = None

    @property
    def absent(self) -> str:
        """Why it cannot run here; empty where it can."""
        missing = [package for package in self.needs if not find_spec(package)]
        return f"{' and '.join(missing)} not installed" if missing else self.obstacle()

    def has(self, activation: str, direction: str, into: bool, dtype: str) -> bool:
        """Whether element takes this."""
        return self.element is not None and dtype in self.dtypes and self.offers(activation, direction, into)


def expected(
    row: Activation, direction: str, x: Array, dy: Array, at: Array | slice = slice(None)
) -> list[tuple[Array, Array]]:
    """What an element call returns, and how large its terms are, in float64, from the row's reference.

    at: the elements to compute; the gradient of a learned parameter, (1,), is of all.
    """
    point, upstream = x[at].astype(np.float64), dy[at].astype(np.float64)
    results = []
    if direction != "backward":
        value = row.reference(point, row.a)
        results.append((value, np.abs(value)))
    if direction != "forward":
        gradient = upstream * row.reference_derivative(point, row.a)
        results.append((gradient, np.abs(gradient)))
        if row.learns and row.reference_df_da is not None:
            terms = dy.astype(np.float64) * row.reference_df_da(x.astype(np.float64), row.a)
            results.append((terms.sum(keepdims=True), np.abs(terms).sum(keepdims=True)))
    return results


_ROWS = (
    Contender(
        name=OWN,
        element=gradfade_calls.gradfade,
        network=gradfade_calls.gradfade_network,
        product=gradfade_calls.gradfade_product,
        in_threads=gradfade_calls.in_threads,
    ),
    Contender(
        name="torch",
        needs=("torch",),
        element=pytorch.eager,
        offers=pytorch.offers,
        network=pytorch.network,
        product=pytorch.product,
        mode=torch_modes.inference,
        in_threads=torch_modes.in_threads,
    ),
    Contender(
        name="torch.compile",
        needs=("torch",),
        element=pytorch.compiled,
        offers=lambda activation, direction, into: not into,
        obstacle=pytorch.no_compiler,
        mode=torch_modes.inference,
    ),
    Contender(
        name="jax", needs=("jax",), element=jax_elements.jax, offers=lambda activation, direction, into: not into
    ),
    Contender(
        name="onnxruntime",
        needs=("onnxruntime", "onnx"),
        element=onnx_elements.onnxruntime,
        offers=onnx_elements.onnxruntime_has,
        dtypes=("float32",),
        trains=False,
        in_threads=nullcontext,  # its sessions take as many as gradfade may use when they are made
    ),
    Contender(
        name="numexpr", needs=("numexpr",), element=numexpr_elements.numexpr, offers=numexpr_elements.numexpr_has
    ),
    Contender(name="numpy", product=gradfade_calls.numpy_product, mode=one_thread),
    Contender(name="openblas", product=gradfade_calls.openblas_product),
)

CONTENDERS = {row.name: row for row in _ROWS}

# Why gradfade is behind, by contender, activation or name of the comparison, and what is compared (a direction,
# "network", "product", or a comparison's kind and direction), "" being any; the first that fits holds.
_TAILS = "it computes the slope from the output, in few operations, and gets exactly 0 in the saturated tails"
_CUT_TAIL = "its one formula cancels in the left tail, where it is 100 % off; gradfade's keeps the tail"
_PRODUCTS = "its matrix products, MKL's in PyTorch's packages, run closer to the CPU's peak"
_SAME = "the same library does the work: what is left is the checked call, and noise"
_SUBNORMAL = "gradients of the first layers are subnormal numbers, slow to multiply, which gradfade keeps"
_VECTORS = "its tanh is a library's, MKL's in PyTorch's packages"
_STREAMS = "both do next to nothing but read and write: what is left is the checked call, and noise"

_ONEDNN = "its LSTM is oneDNN's, machine code generated for this CPU and this size"
_INFERENCE = "it keeps nothing for a backward pass"

REASONS = {
    ("torch", "lstm", ""): _ONEDNN,
    **{("torch", name, ""): _PRODUCTS for name in ("transformer_post", "transformer_pre")},
    ("torch", "clip_by_norm", ""): "it sums squares in float32, which gradfade does in float64",
    ("onnxruntime", "softmax", ""): "it drops the rest of rounding before the exponential, which gradfade keeps",
    **{("onnxruntime", name, "layer_forward"): _INFERENCE for name in ("rnn", "lstm", "gru")},
    ("", "sigmoid", "backward"): _TAILS,
    ("", "tanh", "backward"): _TAILS,
    ("torch", "tanh", "forward"): _VECTORS,
    ("torch", "tanh", "forward_backward"): f"{_VECTORS}; {_TAILS}",
    ("", "erf", "forward"): "its erf is one quotient of polynomials",
    ("torch", "gelu", "forward"): _CUT_TAIL,
    ("torch", "swish", ""): "its one exponential overflows below -88.7: it gets 0 where swish is still a normal number",
    ("onnxruntime", "gelu_tanh", "forward"): _CUT_TAIL,
    ("", "hardsigmoid", "network"): _SUBNORMAL,
    ("torch", "", "network"): _PRODUCTS,
    ("torch", "", "product"): _PRODUCTS,
    **{("", row.name, ""): _STREAMS for row in ACTIVATIONS.values() if row.f.__module__ == piecewise.__name__},
    ("numpy", "", "product"): _SAME,
    ("openblas", "", "product"): _SAME,
}


def reason(contender: str, activation: str, what: str) -> str:
    """The first of REASONS that fits."""
    subject = (contender, activation, what)
    fits = (text for key, text in REASONS.items() if all(k in ("", s) for k, s in zip(key, subject, strict=True)))
    return next(fits, "no reason known")
