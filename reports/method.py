"""How a run was set up, in sentences made from its rows."""

import numpy as np
import pandas as pd

from reports.load import Tables
from reports.words import listed, number, readable, several
from suites.summary import CONFIGURATION, FACTORS

GRADIENT = (
    "The gradient that is injected at the last {factor} is standard normal, independent of weights and inputs. The "
    "gradients are of a pass that is rescaled by powers of two on its way, so they go on below what float32 holds."
)
INPUTS = {
    "depth": "Inputs are Gaussian, rescaled so that the first pre-activation has variance 1. ",
    "time": "Inputs are standard normal at every step, the first state is 0. ",
}
# Benchmark of bench_startup -> its sentence.
STARTING = {
    "startup_import": (
        "Importing kernels took {import_seconds} s, {ratio} times as long as importing numba, {numba_import_seconds} s."
    ),
    "startup_first_call": (
        "From a warm cache the first call of a kernel took {first_call_ms} ms (median over the activations), at most "
        "{largest_first_call_ms} ms; the process's first, which starts LLVM, {llvm_ms} ms."
    ),
    "startup_cold_compile": "Compiling all {kernels} float32 kernels of the activations took {cold_compile_seconds} s.",
}


def setup(run: Tables) -> dict[str, str]:
    """Experiment -> what was run, for those of depth, time, training, cost and starting that have rows."""
    texts = {f"Across {name}": _sweep(run[name], name) for name in FACTORS if name in run}
    if "training" in run:
        texts["Training"] = _training(run["training"])
    if "cost" in run and (cost := _cost(run)):
        texts["Cost"] = cost
    if starting := startup(run["cost"]):
        texts["Starting"] = starting
    return texts


def _values(rows: pd.DataFrame, column: str) -> str:
    """What a column holds, joined: "256", "32 or 64"; empty where it holds nothing."""
    values = rows[column].dropna().unique()
    return " or ".join(str(value) for value in values if value != "")


def _named(rows: pd.DataFrame, columns: list[str]) -> str:
    """ "width 256, batch 32" of the columns that hold something."""
    return ", ".join(f"{readable(column)} {text}" for column in columns if (text := _values(rows, column)))


def _shape(rows: pd.DataFrame, columns: list[str]) -> str:
    seeds = several(rows.seed.nunique(), "seed")
    return ", ".join(text for text in (_named(rows, columns), _values(rows, "dtype"), seeds) if text) + "."


def _sweep(rows: pd.DataFrame, name: str) -> str:
    count, factor = FACTORS[name]
    columns = [count, "width", "batch", "inputs"]
    architecture = f"Architecture {_values(rows, 'architecture')}: {_shape(rows, columns)} "
    return architecture + INPUTS[name] + GRADIENT.format(factor=factor) + _plain_float32(rows)


def _plain_float32(rows: pd.DataFrame) -> str:
    """How often the gradient that plain float32 keeps arrives as exactly 0; empty where it was not measured."""
    arrived = rows[(rows.metric == "float32_gradient") & (rows.position == 0)]
    if arrived.empty:
        return ""
    zero = np.isneginf(arrived.groupby(CONFIGURATION, dropna=False, observed=True).value.min())
    return (
        " What plain float32 keeps is measured apart: without rescaling exactly 0 arrives in "
        f"{int(zero.sum())} of {several(len(zero), 'configuration')} for at least one seed."
    )


def _training(rows: pd.DataFrame) -> str:
    columns = ["dataset", "architecture", "depth", "width", "batch", "optimizer", "initializer"]
    return f"The same network for every activation: {_shape(rows, columns)}"


def _cost(run: Tables) -> str:
    """Which levels and formats were timed, and what of the levels and formats that were probed is left to full."""
    rows = run["cost"]
    rows = rows[rows.op == "activation"]
    if rows.empty:
        return ""
    timed = {name: list(rows[name].dropna().unique()) for name in ("level", "dtype")}
    profile = run.session.get("profile", run.environment.get("configuration", {}).get("profile"))
    which = f"This {profile} run" if profile else "This run"
    text = f"{which} timed activations in {listed(timed['level'])} in {listed(timed['dtype'])}."
    probed = run.session.get("limits") or {}
    more = [name for name in probed.get("read", {}) if name not in timed["level"]]
    more += [name for name in probed.get("fma", {}) if name not in timed["dtype"]]
    left = run.session.get("left_to_full", 0)
    if left and more:
        text += f" The full profile adds {listed(more)}, {several(left, 'benchmark')} more in all."
    return text


def startup(cost: pd.DataFrame) -> str:
    """What the benchmarks of starting measured, in sentences; empty where there are none."""
    sentences = []
    for row in cost[cost.op.isin(STARTING)].to_dict("records"):
        numbers = {name: number(value) for name, value in row.items() if isinstance(value, float)}
        sentences.append(STARTING[row["op"]].format(**numbers))
    return " ".join(sentences)
