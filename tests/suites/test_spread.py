"""Few cells in flight, a dead worker's cells measured by others; what parts go through, and take from one another."""

from collections import Counter
from concurrent.futures import BrokenExecutor, Executor, ThreadPoolExecutor
from threading import Event
from time import sleep

import pytest

from suites.spread import IN_FLIGHT, DeadlyCellError, spread


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
    told = Event()

    def measure(cell):
        assert cell == 0 or told.wait(100)
        raise ZeroDivisionError

    with Threads() as pool:
        with pytest.raises(ZeroDivisionError):
            list(spread(pool, measure, range(1000)))
        told.set()
        assert len(pool.futures) == IN_FLIGHT[0]
        assert all(future.cancelled() for future in pool.futures[3:])


class Part(Threads):
    """One worker, that tells what it measured."""

    def __init__(self, kills=(), gate=None):
        super().__init__(kills)
        self.measured, self.gate = [], gate

    def submit(self, function, *arguments):
        return super().submit(self.note, function, *arguments)

    def note(self, function, cell=0):
        if self.gate:
            assert self.gate.wait(100)
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
    measured = dict(spread(Parted(*parts), lambda cell: sleep(0.005), range(40)))
    assert sorted(measured) == [*range(40)]
    assert [part.most for part in parts] == [most, most]


def test_what_shares_work_need_not_follow_one_another():
    parts = Parted(Part(), Part())
    assert sorted(cell for cell, _ in spread(parts, lambda cell: -cell, range(40), near=lambda cell: cell % 2)) == [
        *range(40)
    ]


def test_a_part_takes_from_another_line_where_the_longest_has_nothing_to_give():
    """The first two wait with their first cell; the last three cells of one share its work, those of the other none."""
    opened = Event()
    parts = Part(gate=opened), Part(gate=opened), Part()
    near = [0, 0, 0, 0, 4, 5, 6, 7, 8, 8, 8, 8].__getitem__
    for done, _ in enumerate(spread(Parted(*parts), lambda cell: -cell, range(12), near=near), start=1):
        if done == 4 + 3:
            opened.set()
    assert [part.measured for part in parts] == [[0, 1, 2, 3], [4], [8, 9, 10, 11, 6, 7, 5]]


def test_a_part_without_a_cell_takes_that_of_another_that_has_not_begun():
    pool = Parted(Part(), Part())
    assert dict(spread(pool, lambda cell: -cell, [3], near=lambda cell: 0)) == {3: -3}


def test_a_cell_of_a_part_is_tried_three_times():
    parts = Part({3: 2, 4: 3}), Part()
    parts[1].kills = parts[0].kills  # which the second may take from the first
    measured = dict(spread(Parted(*parts), lambda cell: -cell, range(16)))
    assert measured == {cell: None if cell == 4 else -cell for cell in range(16)}
    tried = parts[0].measured + parts[1].measured
    assert tried.count(3) == tried.count(4) == 3
