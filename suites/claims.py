"""What the claims of the two documents are measured on: cells of the other experiments, and a few of their own.

The ledger (reports.claims) reads them. It is one small grid of one width, so that all claims are judged on alike
networks, and that `gradfade claims` needs nothing else.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import pandas as pd

from suites import attenuation, curves, depth, sequence
from suites.claim_probes import PROBES

TOKENS = 8  # length of a Transformer's sequences across depth; its batch is so much smaller than the others'
INPUTS = 10  # features of a cell's input
LAYERS, BLOCKS, STEPS = 50, 100, 100  # D2, section 9: fully connected, Transformer, LSTM

Network = tuple[str, str, str]  # architecture, activation, initialiser


@dataclass(frozen=True, kw_only=True)
class ClaimCell:
    """One configuration of one kind: the name of an experiment, or of a probe. What does not apply is None or ""."""

    experiment: str
    architecture: str = ""
    activation: str
    initializer: str = ""
    depth: int | None = None
    tokens: int | None = None
    length: int | None = None
    inputs: int | None = None
    width: int
    batch: int
    dtype: str
    seed: int
    seeds: int


# Those networks of which the whole curve over 50 layers is wanted.
DEEP: tuple[Network, ...] = (
    *(("plain", name, rule) for name in ("sigmoid", "tanh", "relu") for rule in ("xavier_normal", "framework_default")),
    *(("plain", name, "he_normal") for name in ("sigmoid", "relu", "leaky_relu", "prelu", "swish")),
    *(("plain", name, "too_small") for name in ("tanh", "relu")),
    ("plain", "leaky_relu", "xavier_normal"),
    *(("residual", name, "xavier_normal") for name in ("sigmoid", "tanh")),
    *((name, "relu", "he_normal") for name in ("residual", "residual_scaled", "batchnorm", "layernorm")),
    ("layernorm", "relu", "xavier_normal"),
)  # fmt: skip
DEPTHS = (10, 20, 100)  # beside LAYERS, of the plain ones whose gradient is followed as depth grows
GROWING: tuple[Network, ...] = tuple(("plain", name, "xavier_normal") for name in ("sigmoid", "relu"))
# Of ten layers, since saturating weights let the gradient explode.
SHALLOW: tuple[Network, ...] = (
    *(("plain", name, rule) for name in ("sigmoid", "tanh") for rule in ("saturating", "xavier_normal", "he_normal")),
    *((norm, name, "saturating") for name in ("sigmoid", "tanh") for norm in ("batchnorm", "layernorm")),
)
TRANSFORMERS: tuple[Network, ...] = tuple(
    (name, "relu", "xavier_normal") for name in ("transformer_post", "transformer_pre")
)
RECURRENT: tuple[Network, ...] = (
    *(("rnn", "tanh", rule) for rule in ("xavier_normal", "framework_default", "too_small", "orthogonal", "he_normal")),
    ("rnn", "sigmoid", "xavier_normal"),
    *(("lstm", "tanh", rule) for rule in ("xavier_normal", "framework_default", "forget_one", "chrono")),
    ("gru", "tanh", "xavier_normal"),
)
# Of spectral norm or spectral radius below 1.
CONTRACTING: tuple[Network, ...] = tuple(("rnn", "tanh", rule) for rule in ("too_small", "framework_default"))
CURVES = ("sigmoid", "tanh", "relu", "leaky_relu", "prelu", "swish", "gelu")
DIAGNOSED: tuple[Network, ...] = tuple(
    ("plain", name, rule)
    for name in ("sigmoid", "tanh", "relu")
    for rule in ("xavier_normal", "he_normal", "framework_default")
)

DIAGNOSED_LAYERS = (10, LAYERS)


def cells(
    *, width: int = 128, batch: int = 32, seeds: int = 3, seed: int = 0, dtype: str = "float32"
) -> list[ClaimCell]:
    """Every cell that a claim is measured on; UserError where a number is wrong."""
    attenuation.checked_numbers(dtype, width=width, batch=batch, seeds=seeds, seed=seed)
    numbers: dict[str, Any] = {"width": width, "batch": batch, "seeds": seeds, "seed": seed, "dtype": dtype}

    def of(kind: str, networks: Iterable[Network], **size: Any) -> list[ClaimCell]:
        return [
            ClaimCell(experiment=kind, architecture=architecture, activation=activation, initializer=initializer,
                      **numbers | size)
            for architecture, activation, initializer in networks
        ]  # fmt: skip

    attended: dict[str, Any] = {"depth": BLOCKS, "tokens": TOKENS, "batch": max(1, batch // TOKENS)}
    return [
        *(ClaimCell(experiment="curves", activation=name, **numbers) for name in CURVES),
        *of("depth", DEEP, depth=LAYERS),
        *(cell for layers in DEPTHS for cell in of("depth", GROWING, depth=layers)),
        *of("depth", [("residual_scaled", "relu", "he_normal")], depth=BLOCKS),
        *of("depth", [network for network in SHALLOW if network not in GROWING], depth=10),
        *of("depth", TRANSFORMERS, **attended),
        *of("time", RECURRENT, length=STEPS, inputs=INPUTS),
        *of("time", TRANSFORMERS, length=STEPS, depth=1),
        *of("neurons", [("plain", "sigmoid", "xavier_normal")], depth=5, width=1, batch=1, seeds=1),
        *of("symmetry", [("plain", "tanh", "constant")], depth=10),
        *of("recurrent_weights", CONTRACTING, length=1, inputs=INPUTS),
        *of("skip_path", TRANSFORMERS, **attended | {"depth": 10}),
        *(cell for layers in DIAGNOSED_LAYERS for cell in of("parameter_norms", DIAGNOSED, depth=layers, batch=64)),
    ]


def kept_as(cell: ClaimCell) -> tuple[str, Any]:
    """The experiment, and its cell, of which these are the rows: what it has measured is not measured again."""
    if cell.experiment == "curves":
        return "curves", curves.CurveCell(cell.activation, cell.dtype)
    if cell.experiment in SWEPT:
        names = {f"{name}s": [getattr(cell, name)] for name in ("architecture", "activation", "initializer")}
        (same,) = SWEPT[cell.experiment](**names)
        shared = {field.name for field in fields(same)} & {field.name for field in fields(cell)}
        return cell.experiment, replace(same, **{name: getattr(cell, name) for name in shared})
    return "claims", cell


def measure(cell: ClaimCell) -> pd.DataFrame:
    """The rows of a cell, as its experiment gives them."""
    _, same = kept_as(cell)
    return KINDS[cell.experiment](same)


SWEPT: dict[str, Callable[..., Sequence[Any]]] = {"depth": depth.cells, "time": sequence.cells}
KINDS: dict[str, Callable[[Any], pd.DataFrame]] = {
    "curves": curves.measure,
    "depth": depth.measure,
    "time": sequence.measure,
    **PROBES,
}
