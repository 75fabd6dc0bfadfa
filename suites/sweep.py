"""One experiment over one grid, with or without a results folder of its own."""

import logging
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd

from suites.experiment import EXPERIMENTS, Progress
from suites.results import Run
from suites.schema import printable

log = logging.getLogger(__name__)


def sweep(
    experiment: str,
    *,
    out: Path | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
    **grid: Any,
) -> pd.DataFrame:
    """The rows of EXPERIMENTS[experiment] over grid, what its cells() takes; in the folder out too, if one is given.

    An unfinished folder of the same grid is resumed.

    Raises:
        UserError: a name or number of the grid is wrong, or out cannot be used; nothing was measured or written then.
    """
    row = EXPERIMENTS[experiment]
    cells = row.cells(**grid)
    if out is None:
        return printable(row.run(cells, None, executor, progress))
    run = Run.create(out, {"experiment": experiment, **_configuration(cells)})
    if run.resumed:
        log.info("%s held an unfinished run of this configuration: resumed", out)
    rows = row.run(cells, run, executor, progress)
    run.finish()
    return printable(rows)


def _configuration(cells: Sequence[Any]) -> dict[str, Any]:
    """What all cells share and which values they differ in, as resolved: `silu` and `swish` are one configuration."""
    values = {field.name: dict.fromkeys(getattr(cell, field.name) for cell in cells) for field in fields(cells[0])}
    return {name: [*several] if len(several) > 1 else next(iter(several)) for name, several in values.items()}
