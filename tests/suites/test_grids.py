"""Grids: the product of the axes, what of it exists, and what is left to the full profile."""

from suites.grids import grid


def test_combinations_that_exist_are_marked_full_unless_quick():
    @grid(quick=lambda b, **_: b == "x", exists=lambda a, b: (a, b) != (2, "x"), a=(1, 2), b=("x", "y"))
    def test():
        """Nothing."""

    (mark,) = test.pytestmark
    assert mark.args[0] == "a,b"
    assert [(cell.values, [mark.name for mark in cell.marks]) for cell in mark.args[1]] == [
        ((1, "x"), []),
        ((1, "y"), ["full"]),
        ((2, "y"), ["full"]),
    ]


def test_an_empty_grid_leaves_no_test():
    @grid(quick=lambda a: True, a=())
    def test():
        """Nothing."""

    assert test is None
