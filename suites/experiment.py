"""Running an experiment: a list of pure cells on an executor, each finished one on disk at once.

A cell is a frozen dataclass of plain values: everything that its rows depend on but the code. So rows are the same
whatever the executor and the order in which cells finish, and a file that is named by a digest of the cell and tells
the code that measured it is enough to resume.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from kernels import jit
from suites import (
    certify,
    claims,
    curves,
    depth,
    interrupts,
    lyapunov,
    phase,
    remedy_times,
    remedy_worth,
    sequence,
    spectrum,
    training,
)
from suites.environment import version
from suites.errors import UserError
from suites.own_activations import check_unchanged, digests
from suites.results import CELLS, Run, write_whole
from suites.schema import SCHEMA, merge
from suites.spread import spread
from suites.threads import one_thread

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Experiment:
    """A kind of experiment.

    cells(**grid) is its list of cells, UserError where the grid is wrong; measure(cell) gives rows in the schema.
    timed: its rows hold times, so its cells never run beside one another. near(cell): cells of which it is the same
    share work in a process, and are measured one after the other; None where none do. kept_as(cell): the name of the
    experiment that measures the same rows, and its cell, where that is another one.
    """

    name: str
    cells: Callable[..., Sequence[Any]]
    measure: Callable[[Any], pd.DataFrame]
    timed: bool = False
    near: Callable[[Any], Any] | None = None
    kept_as: Callable[[Any], tuple[str, Any]] | None = None

    def run(
        self,
        cells: Sequence[Any],
        run: Run | None = None,
        executor: Executor | None = None,
        progress: Progress | None = None,
    ) -> pd.DataFrame:
        """The rows of all cells, in their order; in this process where no executor is given.

        With a run, cells that it holds already, measured by the same kernels, are read, not measured, and the merged
        table is written as its file, even if the user interrupts or something fails. progress(done, all) is called at
        the start and after each cell.

        Raises:
            UserError: a file cannot be written, or workers died; the run keeps what was measured.
        """
        try:
            return self._completed(cells, run, None if self.timed else executor, progress or (lambda done, total: None))
        except UserError as error:
            if run is None:
                raise
            kept = f"what was measured is in {run.folder}, and the same command goes on with it"
            raise UserError(f"{error}; {kept}") from None

    def _completed(
        self, cells: Sequence[Any], run: Run | None, executor: Executor | None, progress: Progress
    ) -> pd.DataFrame:
        tables = {} if run is None else self._finished(cells, run)
        if tables:
            log.info("%s: %d of %d cells were done already", self.name, len(tables), len(cells))
        progress(len(tables), len(cells))
        missing = [cell for cell in dict.fromkeys(cells) if cell not in tables]
        if self.near is not None:
            missing.sort(key=self.near)
        deadly = []
        try:
            for cell, table in self._measured(missing, executor):
                if table is None:
                    deadly.append(cell)
                    continue
                tables[cell] = table  # before it is stored: an interrupt in between loses nothing
                if run is not None:
                    self.store(cell, table, run)
                progress(len(tables), len(cells))
        except BrokenExecutor as error:
            raise UserError(f"workers die whatever they measure: {error}") from None
        finally:
            merged = merge([tables[cell] for cell in cells if cell in tables])
            if run is not None:
                run.write_table(self.name, merged)
        if deadly:
            more = f", and so do {len(deadly) - 1} more" if len(deadly) > 1 else ""
            raise UserError(f"this cell kills its worker each time (too little memory?): {deadly[0]}{more}")
        return merged

    def store(self, cell: Any, table: pd.DataFrame, run: Run) -> None:
        """Write the rows of one measured cell into run; UserError where they cannot be written."""
        path, marked = self._path(cell, run), table.copy(deep=False)
        marked.attrs = {"code": _code_of(cell), **_whole(path, table)}
        write_whole(path, lambda to: marked.to_parquet(to, index=False, write_page_checksum=True))

    def _path(self, cell: Any, run: Run) -> Path:
        """The file of a cell: named by all that its rows depend on but the code."""
        experiment, same = self.kept_as(cell) if self.kept_as else (self.name, cell)
        identity = json.dumps([experiment, asdict(same)], sort_keys=True)
        return run.folder / CELLS / experiment / f"{hashlib.sha256(identity.encode()).hexdigest()[:20]}.parquet"

    def _finished(self, cells: Sequence[Any], run: Run) -> dict[Any, pd.DataFrame]:
        """The rows of the cells that run holds, measured by the code as it is."""
        tables = {cell: _read(self._path(cell, run)) for cell in cells}
        held = {cell: table for cell, table in tables.items() if table is not None}
        valid = {cell: table for cell, table in held.items() if table.attrs.get("code") == _code_of(cell)}
        if stale := len(held) - len(valid):
            log.warning("%s: %d cells were measured by other code: measured again", self.name, stale)
        return valid

    def _measured(self, cells: Sequence[Any], executor: Executor | None) -> Iterator[tuple[Any, pd.DataFrame | None]]:
        """Each cell with its rows, as they are done; None for one that no worker survives."""
        if executor is not None:
            here = digests(_activation(cell) for cell in cells)
            yield from spread(executor, partial(_by_the_same_files, self.measure, here), cells, near=self.near)
            return
        for cell in cells:
            with interrupts.heeded():
                table = self.measure(cell) if self.timed else _in_one_thread(self.measure, cell)
            yield cell, table


def _in_one_thread(measure: Callable[[Any], pd.DataFrame], cell: Any) -> pd.DataFrame:
    with one_thread():
        return measure(cell)


def _by_the_same_files(measure: Callable[[Any], pd.DataFrame], digests: Mapping[str, str], cell: Any) -> pd.DataFrame:
    """Its rows by a worker, which reads one's own activation anew; UserError where that is not the one of digests."""
    check_unchanged(_activation(cell), digests)
    return _in_one_thread(measure, cell)


@cache
def code() -> dict[str, str]:
    """What of the code the rows of a cell depend on: a cell that tells otherwise is measured again."""
    return {"gradfade": version(), "kernels": jit.CACHE_DIR.name}


def _code_of(cell: Any) -> dict[str, str]:
    """code(), and the file of the cell's activation where that is one's own."""
    return code() | digests([_activation(cell)])


def _activation(cell: Any) -> str:
    """Its name; "" of cells that have none."""
    return getattr(cell, "activation", "")


def collect(run: Run) -> None:
    """Write the table of every experiment that run holds cells of: of runs whose cells came one by one."""
    for folder in sorted((run.folder / CELLS).glob("*")):
        tables = [_read(path) for path in sorted(folder.glob("*.parquet"))]
        run.write_table(folder.name, merge([table for table in tables if table is not None]))


def _whole(path: Path, table: pd.DataFrame) -> dict[str, Any]:
    """By what a cell's file at path tells that it holds all rows of that cell, and of no other."""
    return {"cell": path.stem, "rows": len(table)}


def _check_whole(path: Path, table: pd.DataFrame) -> None:
    """ValueError unless table has the columns of the schema, and all rows of the cell of that file.

    A file that tells neither cell nor rows is of older code, which _finished finds.
    """
    if [(name, str(dtype)) for name, dtype in table.dtypes.items()] != [*SCHEMA.items()]:
        raise ValueError("other columns")
    if any(table.attrs.get(name, value) != value for name, value in _whole(path, table).items()):
        raise ValueError("not the rows of this cell")


def _read(path: Path) -> pd.DataFrame | None:
    """The rows in a cell's file, None where there is no such file; one that cannot be read is set aside.

    So is one of damaged bytes, which its checksums tell, one of another cell, and one that lacks rows.
    """
    if not path.exists():
        return None
    try:
        table = pd.read_parquet(path, page_checksum_verification=True)
        _check_whole(path, table)
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:  # pandas trusts what a footer says
        aside = path.with_suffix(".unreadable")
        path.replace(aside)
        reason = " ".join(str(error).split())
        log.warning("%s cannot be read (%s): set aside as %s, measured again", path, reason, aside.name)
        return None
    return table


EXPERIMENTS = {
    row.name: row
    for row in (
        Experiment("accuracy", certify.cells, certify.measure),
        Experiment("curves", curves.cells, curves.measure),
        Experiment("depth", depth.cells, depth.measure, near=depth.near),
        Experiment("phase", phase.cells, phase.measure),
        Experiment("spectrum", spectrum.cells, spectrum.measure),
        Experiment("time", sequence.cells, sequence.measure),
        Experiment("lyapunov", lyapunov.cells, lyapunov.measure),
        Experiment("remedies", remedy_worth.cells, remedy_worth.measure),
        Experiment("remedy_times", remedy_times.cells, remedy_times.measure, timed=True),
        Experiment("training", training.cells, training.measure, timed=True),
        Experiment("claims", claims.cells, claims.measure, kept_as=claims.kept_as),
    )
}
