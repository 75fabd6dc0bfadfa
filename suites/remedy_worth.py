"""The experiment on how many decades REMEDIES buy: known baselines and every remedy of them.

Its cells are those of the experiments across depth and across time, each network once, though it be a remedy of several
baselines, and networks in training. suites.remedy_times tells which network is which remedy of which baseline.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from suites import attenuation, interventions, optimizer_updates
from suites.errors import UserError, whole
from suites.interventions import Cell
from suites.optimizer_updates import UpdateCell
from suites.remedies import REMEDIES, applicable

KINDS = ("depth", "time")
Network = dict[str, str]  # kind, architecture, activation, initializer


def _network(kind: str, architecture: str, activation: str, initializer: str) -> Network:
    return {"kind": kind, "architecture": architecture, "activation": activation, "initializer": initializer}


# What remedies are tried on: the networks that the documents speak of, across depth and across time.
BASELINES = (
    _network("depth", "plain", "sigmoid", "xavier_normal"),
    _network("depth", "plain", "tanh", "xavier_normal"),
    _network("time", "rnn", "tanh", "xavier_normal"),
)
# Those of the update are tried in training: Adam's step where gradients vanish, clipping where they explode (Pascanu et
# al. 2013 clip those of cells).
TRAINED = (
    _network("depth", "plain", "sigmoid", "xavier_normal"),
    _network("depth", "residual", "relu", "he_normal"),
    _network("time", "rnn", "tanh", "xavier_normal"),
    _network("time", "rnn", "tanh", "saturating"),
)
# Ways of updating: the name of a remedy ("" is none) -> its optimiser and the global norm that it clips to.
UPDATES = {"": ("sgd", None)} | {name: (row.optimizer, row.clip) for name, row in REMEDIES.items() if not row.change}


@dataclass(frozen=True, kw_only=True)
class Grid:
    """What both experiments on remedies take; UserError where a number or a kind is wrong.

    width, batch: of BASELINES; what is trained, for so many steps, has the training experiment's. kinds: of KINDS.
    """

    depth: int = 50
    length: int = 100
    width: int = 256
    batch: int = 32
    steps: int = 50
    seeds: int = 8
    seed: int = 0
    dtype: str = "float32"
    kinds: Sequence[str] = KINDS

    def __post_init__(self) -> None:
        numbers = {name: getattr(self, name) for name in ("depth", "width", "batch", "steps", "seeds", "seed")}
        attenuation.checked_numbers(self.dtype, **numbers)
        whole("length", self.length, 2)  # the adding problem marks two steps
        for kind in self.kinds:
            if kind not in KINDS:
                raise UserError(f"kind must be {' or '.join(KINDS)}, got {kind!r}")

    def of(self, networks: Sequence[Network]) -> list[Network]:
        """Those of the kinds that are asked for."""
        return [network for network in networks if network["kind"] in self.kinds]

    def factors(self, network: Network) -> int:
        """Its layers or steps."""
        return self.depth if network["kind"] == "depth" else self.length

    def cell(self, network: Network) -> Cell:
        """The network as a cell of its experiment."""
        numbers = {name: getattr(self, name) for name in ("width", "batch", "dtype", "seed", "seeds")}
        return interventions.subject(factors=self.factors(network), **network, **numbers)


def cells(**grid: Any) -> list[Cell | UpdateCell]:
    """BASELINES, with every remedy of them, and TRAINED, with all UPDATES; grid is what Grid takes."""
    asked = Grid(**grid)
    baselines = [asked.cell(network) for network in asked.of(BASELINES)]
    networks = [other for base in baselines for other in (base, *applicable(base).values())]
    return [*dict.fromkeys(networks), *_trained(asked)]


def _trained(asked: Grid) -> list[UpdateCell]:
    numbers: dict[str, Any] = {name: getattr(asked, name) for name in ("steps", "dtype", "seed", "seeds")}
    found = []
    for network in asked.of(TRAINED):
        deep, names = network["kind"] == "depth", {name: text for name, text in network.items() if name != "kind"}
        size = {"depth": asked.depth if deep else None, "length": None if deep else asked.length}
        chosen: dict[str, Any] = names | size
        found += [UpdateCell(optimizer=name, clip=clip, **chosen, **numbers) for name, clip in UPDATES.values()]
    return found


def measure(cell: Cell | UpdateCell) -> pd.DataFrame:
    """Rows of a network as its own experiment has them, or of one in training."""
    return optimizer_updates.measure(cell) if isinstance(cell, UpdateCell) else interventions.measure(cell)
