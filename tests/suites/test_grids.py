"""Grids: the product of the axes, what of it exists, what is left to the full profile, and one's own activations."""

from kernels import ACTIVATIONS
from suites import grids
from suites.grids import grid


def test_combinations_that_exist_are_marked_full_unless_quick():
    @grid(quick=lambda b, **_: b == "x", exists=lambda a, b: (a, b) != (2, "x"), a=(1, 2), b=("x", "y"))
    def test():
        """Nothing."""

    made = grids.of(test)
    assert [*made.axes] == ["a", "b"]
    assert [(cell.values, [mark.name for mark in cell.marks]) for cell in made.cells()] == [
        ((1, "x"), []),
        ((1, "y"), ["full"]),
        ((2, "y"), ["full"]),
    ]


def test_ones_own_activations_are_timed_as_the_known_ones():
    @grid(quick=lambda n, **_: n == 1, activation=ACTIVATIONS, n=(1, 2))
    def test():
        """Nothing."""

    known, more = grids.of(test).cells(), grids.of(test).cells(own=["f.py:g"])
    assert more[: len(known)] == known
    assert [(cell.values, len(cell.marks)) for cell in more[len(known) :]] == [(("f.py:g", 1), 0), (("f.py:g", 2), 1)]


def test_ones_own_activations_have_no_place_where_only_some_are_timed():
    @grid(quick=lambda **_: True, activation=("relu", "tanh"))
    def test():
        """Nothing."""

    assert grids.of(test).cells(own=["f.py:g"]) == grids.of(test).cells()


def test_an_empty_grid_leaves_no_test():
    @grid(quick=lambda a: True, a=())
    def test():
        """Nothing."""

    assert test is None
    assert grids.of(test) is None
