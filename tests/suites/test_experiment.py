"""The runner: rows do not depend on who measures, nothing finished is lost, nothing unreadable is trusted."""

import dataclasses
import logging
import multiprocessing
from concurrent.futures import Future, ProcessPoolExecutor

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from kernels import jit
from suites import depth
from suites.environment import version
from suites.errors import UserError
from suites.experiment import EXPERIMENTS, Experiment, collect
from suites.results import CELLS, Run, write_whole
from suites.schema import merge, rows

CONFIGURATION = {"seed": 0}
TINY = {"depths": [3], "widths": [8], "batch": 4, "seeds": 2}


@dataclasses.dataclass(frozen=True)
class Cell:
    seed: int


CELLS_OF_FIVE = [Cell(seed) for seed in range(5)]


class Bench:
    """An experiment that remembers which cells it measured, and is interrupted at one of them."""

    def __init__(self, interrupt_at=None):
        self.measured, self.interrupt_at = [], interrupt_at
        self.experiment = Experiment("fake", lambda: CELLS_OF_FIVE, self.measure)

    def measure(self, cell):
        if cell.seed == self.interrupt_at:
            raise KeyboardInterrupt
        self.measured.append(cell.seed)
        return rows({"experiment": "fake"}, seed=cell.seed, position=range(2), value=[cell.seed, cell.seed / 3])


class Backwards:
    """An executor that finishes its work last in, first out."""

    def __init__(self):
        self.work = []

    def submit(self, function, *arguments):
        future = Future()
        self.work.append((future, function, arguments))
        if len(self.work) == len(CELLS_OF_FIVE):
            for waiting, measure, cell in reversed(self.work):
                waiting.set_result(measure(*cell))
        return future


def files(run, experiment="fake"):
    return sorted((run.folder / CELLS / experiment).iterdir())


def test_rows_come_in_the_order_of_the_cells_whoever_measures(tmp_path):
    serial = Bench().experiment.run(CELLS_OF_FIVE)
    assert serial.seed.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    run = Run.create(tmp_path / "run", CONFIGURATION)
    pd.testing.assert_frame_equal(Bench().experiment.run(CELLS_OF_FIVE, run, Backwards()), serial)
    pd.testing.assert_frame_equal(pd.read_parquet(run.folder / "fake.parquet"), serial)


def test_two_processes_give_the_same_bits(tmp_path):
    experiment = EXPERIMENTS["depth"]
    cells = experiment.cells(activations=["tanh", "relu"], initializers=["he_normal", "orthogonal"], **TINY)
    serial = experiment.run(cells)  # compiles, so that the workers only read the cache
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        parallel = experiment.run(cells, Run.create(tmp_path / "run", CONFIGURATION), pool)
    pd.testing.assert_frame_equal(parallel, serial, check_exact=True)


def test_an_interrupted_run_is_readable_and_resumes(tmp_path):
    first = Bench(interrupt_at=3)
    run = Run.create(tmp_path / "run", CONFIGURATION)
    with pytest.raises(KeyboardInterrupt):
        first.experiment.run(CELLS_OF_FIVE, run)
    assert first.measured == [0, 1, 2]
    assert pd.read_parquet(run.folder / "fake.parquet").seed.tolist() == [0, 0, 1, 1, 2, 2]

    second, again = Bench(), Run.create(tmp_path / "run", CONFIGURATION)
    table = second.experiment.run(CELLS_OF_FIVE, again)
    assert again.resumed
    assert second.measured == [3, 4]
    pd.testing.assert_frame_equal(table, Bench().experiment.run(CELLS_OF_FIVE), check_exact=True)


def test_an_interrupt_just_after_a_cell_was_stored_keeps_it_in_the_table(tmp_path, monkeypatch):
    def write_then_interrupt(*arguments):
        write_whole(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr("suites.experiment.write_whole", write_then_interrupt)
    run = Run.create(tmp_path / "run", CONFIGURATION)
    with pytest.raises(KeyboardInterrupt):
        Bench().experiment.run(CELLS_OF_FIVE, run)
    assert pd.read_parquet(run.folder / "fake.parquet").seed.tolist() == [0, 0]


def test_a_cell_of_other_code_is_measured_again(tmp_path, monkeypatch, caplog):
    run = Run.create(tmp_path / "run", CONFIGURATION)
    expected = Bench().experiment.run(CELLS_OF_FIVE[:2], run)
    for code, again in (({"kernels": "edited"}, [0, 1]), ({"kernels": "edited"}, [])):
        second = Bench()
        with monkeypatch.context() as patch:
            patch.setattr("suites.experiment.code", lambda code=code: code)
            table = second.experiment.run(CELLS_OF_FIVE[:2], run)
        assert second.measured == again
        pd.testing.assert_frame_equal(table, expected, check_exact=True)
    assert caplog.text.count("fake: 2 cells were measured by other code") == 1
    assert len(files(run)) == 2
    collect(run)
    assert len(pd.read_parquet(run.folder / "fake.parquet")) == len(expected)


def test_a_cell_that_tells_nothing_is_of_older_code(tmp_path, caplog):
    run = Run.create(tmp_path / "run", CONFIGURATION)
    expected = Bench().experiment.run(CELLS_OF_FIVE, run)
    path = files(run)[1]
    table = pd.read_parquet(path)
    table.attrs = {}
    table.to_parquet(path)
    collect(run)
    assert len(pd.read_parquet(run.folder / "fake.parquet")) == len(expected)
    second = Bench()
    pd.testing.assert_frame_equal(second.experiment.run(CELLS_OF_FIVE, run), expected, check_exact=True)
    assert len(second.measured) == 1
    assert "1 cells were measured by other code" in caplog.text
    assert "cannot be read" not in caplog.text


def test_a_cell_tells_the_kernels_that_measured_it(tmp_path):
    run, bench = Run.create(tmp_path / "run", CONFIGURATION), Bench()
    bench.experiment.run(CELLS_OF_FIVE[:1], run)
    (path,) = files(run)
    assert pd.read_parquet(path).attrs["code"] == {"gradfade": version(), "kernels": jit.CACHE_DIR.name}


def test_an_unreadable_cell_is_set_aside_and_measured_again(tmp_path, caplog):
    run = Run.create(tmp_path / "run", CONFIGURATION)
    expected = Bench().experiment.run(CELLS_OF_FIVE, run)
    torn, foreign, *_ = files(run)
    torn.write_bytes(torn.read_bytes()[:100])
    pd.DataFrame({"something": [1]}).to_parquet(foreign)

    second = Bench()
    with caplog.at_level(logging.WARNING):
        table = second.experiment.run(CELLS_OF_FIVE, run)
    pd.testing.assert_frame_equal(table, expected, check_exact=True)
    assert len(second.measured) == 2
    assert len([path for path in files(run) if path.suffix == ".unreadable"]) == 2
    assert "set aside" in caplog.text


def another_cells(path, other):
    path.write_bytes(other.read_bytes())


def without_rows(path, other):
    table = pd.read_parquet(path)
    attrs, table = table.attrs, table.iloc[:0]
    table.attrs = attrs
    table.to_parquet(path)


def of_a_flipped_bit(path, other):
    table, content = pd.read_parquet(path), bytearray(path.read_bytes())
    at = content.index(np.float64(table.value[1]).tobytes())
    content[at + 3] ^= 1
    path.write_bytes(content)


def of_a_flipped_bit_in_the_footer(path, other):
    table = pq.read_table(path)
    told = {key: text.replace(b'"numpy_type"', b'"numpy_typd"') for key, text in table.schema.metadata.items()}
    pq.write_table(table.replace_schema_metadata(told), path)


def of_other_types(path, other):
    table = pd.read_parquet(path)
    attrs, table = table.attrs, table.astype({"seed": "float64"})
    table.attrs = attrs
    table.to_parquet(path)


@pytest.mark.parametrize(
    "spoil", [another_cells, without_rows, of_a_flipped_bit, of_a_flipped_bit_in_the_footer, of_other_types]
)
def test_a_cell_of_other_rows_than_were_measured_is_set_aside(tmp_path, spoil, caplog):
    run = Run.create(tmp_path / "run", CONFIGURATION)
    expected = Bench().experiment.run(CELLS_OF_FIVE, run)
    spoil(*files(run)[2:4])

    second = Bench()
    table = second.experiment.run(CELLS_OF_FIVE, run)
    pd.testing.assert_frame_equal(table, expected, check_exact=True)
    assert len(second.measured) == 1
    assert "cannot be read" in caplog.text


def test_half_a_cell_is_no_cell(tmp_path):
    """What a process killed while it writes leaves: a temporary file, which nobody takes for a cell."""
    run = Run.create(tmp_path / "run", CONFIGURATION)
    Bench().experiment.run(CELLS_OF_FIVE, run)
    path = files(run)[0]
    path.rename(path.with_name(f".{path.name}.1234.tmp"))
    second = Bench()
    second.experiment.run(CELLS_OF_FIVE, run)
    assert len(second.measured) == 1


def test_a_full_disk_loses_nothing_that_was_finished(tmp_path, monkeypatch):
    run = Run.create(tmp_path / "run", CONFIGURATION)
    Bench(interrupt_at=None).experiment.run(CELLS_OF_FIVE[:2], run)
    to_parquet = pd.DataFrame.to_parquet

    def full(table, *arguments, **more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    with pytest.raises(UserError, match="No space left on device"):
        Bench().experiment.run(CELLS_OF_FIVE, run)
    monkeypatch.setattr(pd.DataFrame, "to_parquet", to_parquet)
    third = Bench()
    third.experiment.run(CELLS_OF_FIVE, run)
    assert third.measured == [2, 3, 4]


def test_progress_counts_what_was_done_before(tmp_path):
    run, seen = Run.create(tmp_path / "run", CONFIGURATION), []
    Bench().experiment.run(CELLS_OF_FIVE[:2], run)
    Bench().experiment.run(CELLS_OF_FIVE, run, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(2, 5), (3, 5), (4, 5), (5, 5)]


def test_timed_cells_never_go_to_an_executor():
    bench = Bench()
    timed = dataclasses.replace(bench.experiment, timed=True)
    timed.run(CELLS_OF_FIVE, executor=None)
    timed.run(CELLS_OF_FIVE, executor=object())
    assert bench.measured == [0, 1, 2, 3, 4] * 2
    assert [name for name, row in EXPERIMENTS.items() if row.timed] == ["remedy_times", "training"]


def test_a_cell_asked_twice_is_measured_once():
    bench = Bench()
    table = bench.experiment.run([Cell(1), Cell(1)])
    assert bench.measured == [1]
    assert len(table) == 4


def test_cells_stored_one_by_one_are_collected(tmp_path):
    run, bench = Run.create(tmp_path / "run", CONFIGURATION), Bench()
    for cell in CELLS_OF_FIVE:
        bench.experiment.store(cell, bench.measure(cell), run)
    collect(run)
    table = pd.read_parquet(run.folder / "fake.parquet")
    expected = merge([bench.measure(cell) for cell in CELLS_OF_FIVE])
    pd.testing.assert_frame_equal(table.sort_values(["seed", "position"], ignore_index=True), expected)


def test_the_table_has_every_experiment():
    names = ["accuracy", "curves", "depth", "phase", "spectrum", "time", "lyapunov"]
    names += ["remedies", "remedy_times", "training", "claims"]
    assert list(EXPERIMENTS) == names
    assert all(name == row.name for name, row in EXPERIMENTS.items())
    assert EXPERIMENTS["depth"].measure is depth.measure
