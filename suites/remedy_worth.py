"""What each of REMEDIES is worth on known baselines: decades bought, nanoseconds paid."""

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from suites import attenuation, interventions
from suites.errors import whole
from suites.interventions import Cell
from suites.optimizer_updates import trained
from suites.remedies import REMEDIES, Remedy, applicable
from suites.schema import stack
from suites.step_time import nanoseconds
from suites.training import BATCH, WIDTH
from suites.verdicts import Decades, decades, gain

# What remedies are tried on: the networks that the documents speak of, across depth and across time.
BASELINES = (
    ("depth", "plain", "sigmoid", "xavier_normal"),
    ("depth", "plain", "tanh", "xavier_normal"),
    ("time", "rnn", "tanh", "xavier_normal"),
)
# Those of the update are tried in training: an Adam step where gradients vanish, clipping where they explode.
TRAINED = (("depth", "plain", "sigmoid", "xavier_normal"), ("depth", "residual", "relu", "he_normal"))


@dataclass(frozen=True, kw_only=True)
class RemedyCell:
    """One baseline with every remedy of it: of the network, or, where there are steps to train it, of the update."""

    kind: str
    architecture: str
    activation: str
    initializer: str
    factors: int
    width: int
    batch: int
    dtype: str
    seed: int
    seeds: int
    steps: int | None


def cells(
    *,
    depth: int = 50,
    length: int = 100,
    width: int = 256,
    batch: int = 32,
    steps: int = 50,
    seeds: int = 8,
    seed: int = 0,
    dtype: str = "float32",
) -> list[RemedyCell]:
    """A cell for each of BASELINES, and of TRAINED; UserError where a number is wrong.

    width, batch: of BASELINES alone; what is trained has the training experiment's.
    """
    whole("steps", steps, 1)
    attenuation.checked_numbers(dtype, depth=depth, length=length, width=width, batch=batch, seeds=seeds, seed=seed)
    numbers: dict[str, Any] = {"width": width, "batch": batch, "dtype": dtype, "seed": seed, "seeds": seeds}
    return [
        RemedyCell(
            kind=kind, architecture=architecture, activation=activation, initializer=initializer,
            factors=depth if kind == "depth" else length, steps=trained, **numbers,
        )
        for networks, trained in ((BASELINES, None), (TRAINED, steps))
        for kind, architecture, activation, initializer in networks
    ]  # fmt: skip


def measure(cell: RemedyCell) -> pd.DataFrame:
    """Rows of the baseline (remedy "") and of every remedy.

    decades of each seed: of the gradient, or of the update relative to the weights where that is what changes;
    decades_bought with decades_bought_low and _high (suites.verdicts.gain); nanoseconds_per_step, a training step's
    per element, and baseline_nanoseconds_per_step, timed in turn with it; what suites.optimizer_updates.trained tells.
    """
    names = {name: getattr(cell, name) for name in ("architecture", "activation", "initializer")}
    numbers = {name: getattr(cell, name) for name in ("width", "batch", "dtype", "seed", "seeds")}
    base, baseline = interventions.subject(cell.kind, cell.factors, **names, **numbers), " ".join(names.values())
    if cell.steps is None:
        found = _networks(base)
    else:
        found, baseline = _updates(base, cell.steps), f"{baseline} in training"
    configuration = {"experiment": "remedies", "baseline": baseline}
    return stack(configuration, [{**row, "remedy": name} for name, rows in found.items() for row in rows])


def _networks(base: Cell) -> dict[str, list[dict[str, Any]]]:
    before, found = decades(interventions.measure(base)), {}
    for name, other in {"": base, **applicable(base)}.items():
        after = decades(interventions.measure(other)) if name else before
        rows = _decades_rows(other, after)
        if name:
            rows += _worth_rows(before, after, nanoseconds(base, other))
        found[name] = [{**columns(other), **row} for row in rows]
    return found


def _updates(base: Cell, steps: int) -> dict[str, list[dict[str, Any]]]:
    ways = {"": Remedy(name=""), **{name: row for name, row in REMEDIES.items() if not row.change}}
    runs = {name: trained(base, steps, row.optimizer, row.clip) for name, row in ways.items()}
    before, found = runs[""].decades, {}
    for name, row in ways.items():
        rows = [*_decades_rows(base, runs[name].decades), *runs[name].rows]
        if name:
            rows += _worth_rows(before, runs[name].decades, nanoseconds(base, base, row.optimizer, row.clip))
        clip = math.nan if row.clip is None else row.clip
        known = columns(base) | {"dataset": "digits", "width": WIDTH, "batch": BATCH}
        found[name] = [{**known, "optimizer": row.optimizer, "clip_norm": clip, **piece} for piece in rows]
    return found


def _decades_rows(cell: Cell, found: Decades) -> list[dict[str, Any]]:
    seeds = range(cell.seed, cell.seed + cell.seeds)
    return [{"metric": "decades", "seed": seeds, "value": list(found.values), "unit": "log10"}]


def _worth_rows(before: Decades, after: Decades, times: tuple[float, float]) -> list[dict[str, Any]]:
    worth = gain(before, after)
    values = {
        "decades_bought": worth.bought,
        "decades_bought_low": worth.low,
        "decades_bought_high": worth.high,
        "baseline_nanoseconds_per_step": times[0],
        "nanoseconds_per_step": times[1],
    }
    return [
        {"metric": name, "value": value, "unit": "log10" if "decades" in name else "ns/element"}
        for name, value in values.items()
    ]


def columns(cell: Cell) -> dict[str, Any]:
    """The columns of a row that a cell of the experiments depth and time fills."""
    known = {name: getattr(cell, name, None) for name in ("depth", "length", "inputs")}
    return attenuation.configuration(cell) | {name: value for name, value in known.items() if value is not None}
