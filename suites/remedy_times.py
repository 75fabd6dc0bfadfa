"""The experiment on what REMEDIES cost: a training step of a baseline and of a remedy of it, timed in turn."""

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from suites import attenuation
from suites.interventions import Cell, subject
from suites.optimizer_updates import DATASETS
from suites.remedies import applicable
from suites.remedy_worth import BASELINES, TRAINED, UPDATES, Grid
from suites.schema import stack
from suites.step_time import step_time
from suites.trained import FEATURES
from suites.training import BATCH, WIDTH


@dataclass(frozen=True, kw_only=True)
class RemedyTimeCell:
    """A baseline and a remedy of it, "" for itself; trained: it is in training, and remedies are of the update."""

    kind: str
    architecture: str
    activation: str
    initializer: str
    remedy: str
    trained: bool
    factors: int
    width: int
    batch: int
    dtype: str
    seed: int

    @property
    def base(self) -> Cell:
        """The baseline as a cell of its experiment."""
        names = {name: getattr(self, name) for name in ("architecture", "activation", "initializer")}
        numbers = {name: getattr(self, name) for name in ("width", "batch", "dtype", "seed")}
        inputs = {"inputs": FEATURES} if self.trained and self.kind == "time" else {}
        return subject(self.kind, self.factors, **names, **numbers, **inputs, seeds=1)


def cells(**grid: Any) -> list[RemedyTimeCell]:
    """Each baseline and remedy of suites.remedy_worth.cells(**grid), which tells what grid is."""
    asked = Grid(**grid)
    found = []
    for networks, trained in ((BASELINES, False), (TRAINED, True)):
        size = {"width": WIDTH, "batch": BATCH} if trained else {"width": asked.width, "batch": asked.batch}
        for network in asked.of(networks):
            known: dict[str, Any] = {**network, **size, "factors": asked.factors(network), "trained": trained}
            remedies = UPDATES if trained else ("", *applicable(asked.cell(network)))
            found += [RemedyTimeCell(**known, remedy=name, dtype=asked.dtype, seed=asked.seed) for name in remedies]
    return found


def measure(cell: RemedyTimeCell) -> pd.DataFrame:
    """Rows of time_ratio with time_ratio_low and _high, and of baseline_nanoseconds (suites.step_time).

    Columns baseline, remedy and those of the configuration with the remedy, by which its decades are found in the rows
    of suites.remedy_worth. The baseline itself has a ratio of 1 and is not timed; nor is another initialiser.
    """
    base = cell.base
    other = base if cell.trained or not cell.remedy else applicable(base)[cell.remedy]
    optimizer, clip = UPDATES[cell.remedy] if cell.trained else ("sgd", None)
    name = f"{cell.architecture} {cell.activation} {cell.initializer}" + " in training" * cell.trained
    known = {"experiment": "remedy_times", "baseline": name, "remedy": cell.remedy} | columns(other)
    if cell.trained:
        known |= {
            "dataset": DATASETS[cell.kind],
            "optimizer": optimizer,
            "clip_norm": math.nan if clip is None else clip,
        }
    if not cell.remedy:
        return stack(known, [{"metric": "time_ratio", "value": 1.0, "unit": "1"}])
    found = step_time(base, other, optimizer, clip)
    ratios = {"time_ratio": found.ratio, "time_ratio_low": found.low, "time_ratio_high": found.high}
    rows = [{"metric": name, "value": value, "unit": "1"} for name, value in ratios.items()]
    if not math.isnan(found.baseline):
        rows.append({"metric": "baseline_nanoseconds", "value": found.baseline, "unit": "ns/element"})
    return stack(known, rows)


def columns(cell: Cell) -> dict[str, Any]:
    """The columns of a row that a cell of the experiments depth and time fills."""
    known = {name: getattr(cell, name, None) for name in ("depth", "length", "inputs")}
    return attenuation.configuration(cell) | {name: value for name, value in known.items() if value is not None}
