"""What whole layers and steps of optimisers cost, beside the machine's limit and what they keep for backward."""

from typing import Any

import pandas as pd

from reports.words import readable

KEYS = ["op", "size", "direction", "dtype"]
COLUMNS = ["what", *KEYS[1:], "activations", "milliseconds", "fraction_of_limit", "limit", "saved_bytes"]
# Beginnings of what a benchmark does where it is no layer of ours that it times.
NO_LAYERS = ("activation", "attenuation", "peer", "startup")


def timed(cost: pd.DataFrame) -> pd.DataFrame:
    """The rows of a run's benchmarks that time a layer or a step of ours."""
    return cost[cost.op.notna() & ~cost.op.fillna("").astype(str).str.startswith(NO_LAYERS)]


def costs(cost: pd.DataFrame) -> pd.DataFrame:
    """A row per layer or step, size, direction and dtype: COLUMNS, medians over the activations that were timed.

    saved_bytes are those that forward keeps for backward, NaN of what is no layer.
    """
    rows = timed(cost).reindex(columns=[*KEYS, "activation", "median", "fraction_of_limit", "limit", "saved_bytes"])
    table = rows.groupby(KEYS, sort=False, dropna=False).agg(
        activations=("activation", "nunique"),
        milliseconds=("median", lambda seconds: 1e3 * seconds.median()),
        fraction_of_limit=("fraction_of_limit", "median"),
        limit=("limit", "first"),
        saved_bytes=("saved_bytes", lambda kept: kept.astype("float64").median()),
    )
    return table.reset_index().rename(columns={"op": "what"})[COLUMNS]


def section(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as the page shows them."""
    text = {name: table[name].astype(object).where(table[name].notna(), "") for name in ("size", "direction", "limit")}
    words = table.assign(**text)
    return words.assign(**{name: words[name].map(readable) for name in ("what", *text)}).to_dict("records")
