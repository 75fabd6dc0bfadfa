"""What a row is: one number with its unit, its seed, its position and the configuration that gave it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

# Column -> pandas dtype, in the order of every table. "" or NA where a column does not apply.
SCHEMA = {
    "experiment": "str",
    "dataset": "str",
    "architecture": "str",
    "activation": "str",
    "parameter_a": "float64",
    "initializer": "str",
    "weight_variance": "float64",
    "bias_variance": "float64",
    "optimizer": "str",
    "clip_norm": "float64",
    "dtype": "str",
    "width": "Int64",
    "batch": "Int64",
    "depth": "Int64",
    "length": "Int64",
    "inputs": "Int64",
    "seed": "Int64",
    "step": "Int64",
    "position": "float64",
    "parameter": "str",
    "metric": "str",
    "value": "float64",
    "unit": "str",
    "direction": "str",
    "by": "str",
    "baseline": "str",
    "remedy": "str",
}
COLUMNS = list(SCHEMA)
LATER = ("clip_norm", "direction", "by", "baseline", "remedy")  # what tables on disk may lack, being older
EMPTY = {"str": "", "float64": np.nan, "Int64": pd.NA}


def rows(configuration: Mapping[str, Any], **columns: Any) -> pd.DataFrame:
    """A table in the schema: scalars of the configuration and of columns repeat along the longest column.

    Raises:
        KeyError: a column that the schema lacks.
    """
    given = {**configuration, **columns}
    if strange := given.keys() - SCHEMA.keys():
        raise KeyError(f"not columns of a row: {', '.join(sorted(strange))}")
    length = max((len(column) for column in given.values() if _several(column)), default=1)
    filled = {name: _column(given.get(name, EMPTY[dtype]), dtype, length) for name, dtype in SCHEMA.items()}
    return pd.DataFrame(filled, copy=False)


def _column(value: Any, dtype: str, length: int) -> Any:
    """An array of that dtype: of the values, or of one value as often as it takes, which converts it once."""
    return pd.array(value, dtype=dtype) if _several(value) else pd.array([value], dtype=dtype).repeat(length)


def _several(value: Any) -> bool:
    """Whether it is a column, not one value of a row; what np.ndim tells only after it has made an array of a list."""
    return hasattr(value, "__len__") and not isinstance(value, str) and getattr(value, "ndim", 1) > 0


def stack(configuration: Mapping[str, Any], pieces: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """rows(configuration, **piece) of each piece, one below the other, but made at once (which is far faster)."""
    lengths = [max((len(column) for column in piece.values() if _several(column)), default=1) for piece in pieces]
    columns = {}
    for name in dict.fromkeys(name for piece in pieces for name in piece):
        dtype = SCHEMA.get(name, "str")  # rows tells what is strange
        values = [piece.get(name, EMPTY[dtype]) for piece in pieces]
        if any(map(_several, values)):
            every = zip(values, lengths, strict=True)
            values = [value if _several(value) else [value] * length for value, length in every]
            columns[name] = (
                [number for value in values for number in value] if dtype == "str" else np.concatenate(values)
            )
        else:  # converts each once
            columns[name] = pd.array(values, dtype=dtype).repeat(lengths)
    return rows(configuration, **columns)


def merge(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Tables in the schema, one below the other; an empty table in the schema where there are none."""
    return pd.concat(tables, ignore_index=True) if tables else rows({}).iloc[:0]


def printable(table: pd.DataFrame) -> pd.DataFrame:
    """The table with whole positions (layers, steps) as whole numbers; inputs, as of curves, are any numbers."""
    step = (table.position % 1 == 0) & (table.position < 2**53) & ~np.signbit(table.position)
    whole = (table.position.isna() | step).all()
    return table.astype({"position": "Int64"}) if whole else table


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Flat objects of plain Python values, ready for JSON: what is missing or not finite becomes None."""
    return [{name: _plain(value) for name, value in record.items()} for record in table.to_dict("records")]


def _plain(value: Any) -> Any:
    if value is pd.NA:
        return None
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value
