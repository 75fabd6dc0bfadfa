"""Few cells in flight, a dead worker's cells measured by others, the cell that kills its worker named."""

import importlib
import json
import sys
from collections import Counter
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from threading import Event

import pandas as pd
import pytest

from kernels.blas import set_threads
from kernels.jit import max_threads
from suites.errors import UserError
from suites.experiment import EXPERIMENTS
from suites.results import CELLS, Run
from suites.spread import IN_FLIGHT, DeadlyCellError, spread
from suites.workers import executor, workers


@pytest.fixture
def flaky(monkeypatch):
    """The module of cells that kill their workers, which these import by its name."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    yield importlib.import_module("flaky")
    del sys.modules["flaky"]


class Threads(ThreadPoolExecutor):
    """Workers that some cells kill, so many times each."""

    def __init__(self, kills=(), error=BrokenExecutor):
        super().__init__(2)
        self.kills, self.error, self.futures, self.most = Counter(kills), error, [], 0

    def submit(self, function, *arguments):
        self.futures.append(super().submit(function, *arguments))
        self.most = max(self.most, sum(not future.done() for future in self.futures))
        return self.futures[-1]

    def measure(self, cell):
        self.kills[cell] -= 1
        if self.kills[cell] >= 0:
            raise self.error
        return 10 * cell

    def run(self, cells, windows=IN_FLIGHT):
        with self:
            return dict(spread(self, self.measure, cells, windows))


def test_every_cell_is_measured_once():
    pool = Threads()
    assert pool.run(range(1000)) == {cell: 10 * cell for cell in range(1000)}
    assert len(pool.futures) == 1000


def test_few_are_in_flight():
    pool = Threads()
    pool.run(iter(range(200)), (7, 1))
    assert pool.most <= 7


def test_cells_that_were_in_flight_with_a_death_are_measured_again():
    pool = Threads({5: 1, 6: 2, 7: 2})
    assert pool.run(range(50)) == {cell: 10 * cell for cell in range(50)}


def test_a_cell_that_kills_every_worker_has_no_rows_and_the_others_have():
    pool = Threads({5: 3, 40: 10})
    assert pool.run(range(50)) == {cell: None if cell in (5, 40) else 10 * cell for cell in range(50)}


def test_a_cell_that_the_executor_gave_up_itself_is_not_tried_again():
    pool = Threads({5: 10}, DeadlyCellError)
    assert pool.run(range(50)) == {cell: None if cell == 5 else 10 * cell for cell in range(50)}
    assert len(pool.futures) == 50


def test_workers_that_die_whatever_they_do_end_it():
    class Dead(Threads):
        def submit(self, function, *arguments):
            return super().submit(self.die)

        def die(self):
            raise BrokenExecutor("no memory")

    with pytest.raises(BrokenExecutor, match="no memory"):
        Dead().run(range(5))


def test_an_error_of_a_cell_is_raised_and_the_rest_not_begun():
    def measure(cell):
        raise ZeroDivisionError

    with Threads() as pool:
        with pytest.raises(ZeroDivisionError):
            list(spread(pool, measure, range(1000)))
        assert len(pool.futures) == IN_FLIGHT[0]
        assert any(future.cancelled() for future in pool.futures)


class Part(Threads):
    """One worker, that tells what it measured."""

    def __init__(self, kills=(), gate=None):
        super().__init__(kills)
        self.measured, self.gate = [], gate

    def submit(self, function, *arguments):
        return super().submit(self.note, function, *arguments)

    def note(self, function, cell=0):
        if self.gate:
            self.gate.wait(10)
        self.measured.append(cell)
        self.kills[cell] -= 1
        if self.kills[cell] >= 0:
            raise self.error
        return function(cell)


class Parted(Executor):
    def __init__(self, *parts):
        self.parts = parts


def test_parts_measure_cells_that_follow_one_another_and_take_what_others_have_left():
    opened = Event()
    first, second = Part(gate=opened), Part()
    measured = {}
    for cell, result in spread(Parted(first, second), lambda cell: -cell, range(16)):
        measured[cell] = result
        if len(measured) == 15:  # all that the first, which waits with its first cell, can be relieved of
            opened.set()
    assert measured == {cell: -cell for cell in range(16)}
    assert first.measured == [0]
    assert second.measured == [*range(8, 16), 4, 5, 6, 7, 2, 3, 1]
    assert first.most == second.most == 1


@pytest.mark.parametrize(
    ("near", "first_measures", "second_measures"),
    [
        # Four of the seven that wait are worth doing the shared work again, two of the three that are left are not.
        (lambda cell: 0, [0, 1, 2, 3], [*range(8, 16), 4, 5, 6, 7]),
        # Of what shares work with nobody all is taken.
        (lambda cell: cell, [0], [*range(8, 16), 4, 5, 6, 7, 2, 3, 1]),
        # 4 stays with 3 while 5 to 7 go; then both go, and of 1 and 2 neither goes alone.
        (lambda cell: (cell + 1) // 2 if cell < 5 else 9, [0, 1, 2], [*range(8, 16), 5, 6, 7, 3, 4]),
    ],
)
def test_cells_that_share_work_are_taken_where_enough_are_left(near, first_measures, second_measures):
    opened = Event()
    first, second = Part(gate=opened), Part()
    cells = 16
    for done, _ in enumerate(spread(Parted(first, second), lambda cell: -cell, range(cells), near=near), start=1):
        if done == len(second_measures):
            opened.set()
    assert first.measured == first_measures
    assert second.measured == second_measures


@pytest.mark.parametrize(("seconds", "most"), [(10.0, 2), (0.0, 1)])
def test_a_part_that_is_quick_has_its_next_cell_while_many_wait(monkeypatch, seconds, most):
    monkeypatch.setattr("suites.spread.SHORT", seconds)
    parts = Part(), Part()
    assert dict(spread(Parted(*parts), lambda cell: -cell, range(40))) == {cell: -cell for cell in range(40)}
    assert [part.most for part in parts] == [most, most]


def test_a_part_without_a_cell_takes_that_of_another_that_has_not_begun():
    pool = Parted(Part(), Part())
    assert dict(spread(pool, lambda cell: -cell, [3], near=lambda cell: 0)) == {3: -3}


def test_a_cell_of_a_part_is_tried_three_times():
    parts = Part({3: 2, 4: 3}), Part()
    measured = dict(spread(Parted(*parts), lambda cell: -cell, range(16)))
    assert measured == {cell: None if cell == 4 else -cell for cell in range(16)}
    assert parts[0].measured.count(3) == parts[0].measured.count(4) == 3


def test_killed_workers_are_replaced_and_nothing_is_lost(tmp_path, flaky):
    cells = [flaky.FlakyCell(seed, str(tmp_path), kills=seed == 3) for seed in range(8)]
    with executor(2) as pool:
        table = flaky.FLAKY.run(cells, Run.create(tmp_path / "run", {}), pool)
    assert (tmp_path / "3-0").exists()
    expected = flaky.FLAKY.run([flaky.FlakyCell(seed) for seed in range(8)])
    pd.testing.assert_frame_equal(table, expected, check_exact=True)


def test_the_cell_that_kills_its_worker_is_named_and_the_others_are_kept(tmp_path, flaky):
    run, cells = Run.create(tmp_path / "run", {}), [flaky.FlakyCell(seed, str(tmp_path)) for seed in range(6)]
    cells[2] = flaky.FlakyCell(2, str(tmp_path), kills=100)
    with executor(2) as pool, pytest.raises(UserError, match=rf"FlakyCell\(seed=2.*in {run.folder}, and the same"):
        flaky.FLAKY.run(cells, run, pool)
    assert pd.read_parquet(run.folder / "flaky.parquet").seed.unique().tolist() == [0, 1, 3, 4, 5]


def test_an_executor_that_cannot_go_on_ends_it_with_a_message(tmp_path, flaky):
    cells = [flaky.FlakyCell(seed, str(tmp_path), kills=seed == 1) for seed in range(4)]
    with (
        ProcessPoolExecutor(1, get_context("spawn")) as pool,
        pytest.raises(UserError, match="workers die whatever they measure"),
    ):
        flaky.FLAKY.run(cells, Run.create(tmp_path / "run", {}), pool)
    assert len(pd.read_parquet(tmp_path / "run" / "flaky.parquet")) == 2


GRIDS = {
    "depth": {
        "architectures": ["plain", "transformer_pre"], "initializers": ["orthogonal"], "depths": [3], "widths": [192],
        "batch": 8, "seeds": 2,
    },
    "time": {"architectures": ["rnn"], "lengths": [5], "widths": [64], "batch": 8, "seeds": 2},
}  # fmt: skip


def test_tables_are_the_same_bytes_whoever_measures(tmp_path):
    def written(name, pool):
        run = Run.create(tmp_path / name, {})
        for experiment, grid in GRIDS.items():
            EXPERIMENTS[experiment].run(EXPERIMENTS[experiment].cells(**grid), run, pool)
        return [(run.folder / f"{experiment}.parquet").read_bytes() for experiment in GRIDS]

    expected = written("here", None)
    set_threads(max_threads())
    try:
        assert written("many threads here", None) == expected
    finally:
        set_threads(1)
    for count in (1, 2):
        with workers(count) as pool:
            assert written(f"{count} workers", pool) == expected


def test_a_sweep_whose_process_is_killed_goes_on(tmp_path, start, gradfade):
    names = ("--activation", "tanh", "--activation", "relu", "--activation", "selu", "--activation", "elu")
    command = ("attenuate", "depth", *names, "--depth", "30", "--width", "64", "--workers", "2", "--out", "run")
    process = start(*command)
    folder = tmp_path / "run" / CELLS / "depth"
    while not list(folder.glob("*.parquet")):
        assert process.poll() is None, process.communicate()
    process.kill()
    process.communicate()
    done = len(list(folder.glob("[0-9a-f]*.parquet")))
    code, out, err = gradfade(*command, "--format", "json")
    assert code == 0
    assert f"depth: {done} of 4 cells were done" in err
    assert len(json.loads(out)) == 4
