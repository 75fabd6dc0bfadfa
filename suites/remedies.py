"""REMEDIES of a gradient that vanishes or explodes: what is changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kernels.architectures import ARCHITECTURES, DEPTH, TIME
from suites.interventions import Cell, changed

CLIP = 1.0  # the largest global norm, as the second document has it (section 7.3)
DENSE, CELLS = ([name for name, row in ARCHITECTURES.items() if row.kinds == kinds] for kinds in (DEPTH, TIME))


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """One change: fields of a configuration that become others, or what is done with a gradient once it is there.

    of: the architectures that it is a change of; where empty, of any. A remedy of the update (optimizer, clip) has no
    change and leaves the gradient's course through the network as it is.
    """

    name: str
    change: Mapping[str, str] = field(default_factory=dict)
    of: Sequence[str] = ()
    optimizer: str = "sgd"
    clip: float | None = None

    def applied(self, cell: Cell) -> Cell | None:
        """The configuration with the change; None where there is nothing to change, or it makes no sense."""
        if self.of and cell.architecture not in self.of:
            return None
        return changed(cell, **self.change) if self.change else None


def _initializers(*names: str) -> list[Remedy]:
    return [Remedy(name=name, change={"initializer": name}) for name in names]


def _activations(*names: str) -> list[Remedy]:
    return [Remedy(name=name, change={"activation": name}) for name in names]


def _architectures(of: Sequence[str], *names: str) -> list[Remedy]:
    return [Remedy(name=name, change={"architecture": name}, of=of) for name in names]


_ROWS = (
    *_initializers("critical", "he_normal", "orthogonal", "forget_one", "chrono"),
    *_activations("relu", "leaky_relu", "gelu", "tanh"),
    Remedy(name="relu_he", change={"activation": "relu", "initializer": "he_normal"}, of=DENSE),
    *_architectures(DENSE, "layernorm", "batchnorm", "residual", "residual_scaled"),
    *_architectures(["transformer_post"], "transformer_pre"),
    *_architectures(CELLS, "lstm", "gru"),
    Remedy(name="lstm_chrono", change={"architecture": "lstm", "initializer": "chrono"}, of=["rnn", "gru"]),
    Remedy(name="gru_chrono", change={"architecture": "gru", "initializer": "chrono"}, of=["rnn", "lstm"]),
    Remedy(name="clip", clip=CLIP),
    Remedy(name="adam", optimizer="adam"),
)

REMEDIES = {row.name: row for row in _ROWS}


def applicable(cell: Cell) -> dict[str, Cell]:
    """Name -> the configuration with that remedy, each once, of those that change the network."""
    found: dict[str, Cell] = {}
    for name, remedy in REMEDIES.items():
        if (other := remedy.applied(cell)) and other not in found.values():
            found[name] = other
    return found
