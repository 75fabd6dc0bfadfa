"""Eigenvalues of Gram matrices: against LAPACK's, known ones, and those of the same matrix in other company."""

import numpy as np
import pytest

from kernels.eigenvalues import FEWEST, LANES, LARGEST, gram_eigenvalues


def grams(n, count, seed=0):
    """Of full rank, of one direction, of none, of directions of falling size, of equal rows and of a square."""
    x = np.random.default_rng(seed).standard_normal((count, n, 3 * n))
    x[1] = x[1][:1]
    x[2] = 0.0
    x[3] *= 10.0 ** -np.linspace(0, 12, n)[:, None]
    x[4] = 1.0
    x[5] = np.eye(n, 3 * n)
    x[6, 1:] *= 1e-9
    x[7, n // 2 :] = 0.0  # falls apart in two
    x[8] *= 1e-40
    return x @ x.swapaxes(1, 2)


@pytest.mark.parametrize("n", [1, 2, 3, 7, 32, 33, LARGEST])
@pytest.mark.parametrize("count", [FEWEST, LANES, LANES + 1, 2 * LANES + 3])
def test_against_lapack(n, count):
    matrices = grams(n, count, seed=n)
    expected = np.linalg.eigvalsh(matrices)
    before = matrices.copy()
    found = np.sort(gram_eigenvalues(matrices))
    np.testing.assert_array_equal(matrices, before)
    traces = np.trace(matrices, axis1=1, axis2=2)[:, None]
    assert (np.abs(found - expected) <= 1e-14 * traces).all()


def test_whole_numbers_whose_differences_are_exactly_0():
    """Where a diagonal element meets the shift, QL divides by a cosine that is 0, unless it looks."""
    x = np.random.default_rng(0).integers(-2, 3, (20 * LANES, 3, 3)).astype(float)
    matrices = np.append(x @ x.swapaxes(1, 2), [[[3.0, -1, 0], [-1, 3, 2], [0, 2, 6]]], axis=0)
    found = np.sort(gram_eigenvalues(matrices))
    np.testing.assert_allclose(found, np.linalg.eigvalsh(matrices), atol=1e-12)


def test_what_stands_beside_a_matrix_changes_no_bit_of_its_eigenvalues():
    matrices = grams(9, LANES + 5, seed=3)
    alone = [gram_eigenvalues(np.repeat(matrix[None], FEWEST, axis=0))[-1] for matrix in matrices]
    np.testing.assert_array_equal(gram_eigenvalues(matrices), alone)


def test_eigenvalues_known_in_closed_form():
    """The second difference squared: 16 sin^4(k pi / (2 (n + 1)))."""
    n = 24
    x = 2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)
    known = 16 * np.sin(np.arange(1, n + 1) * np.pi / (2 * (n + 1))) ** 4
    found = gram_eigenvalues(np.repeat((x @ x.T)[None], FEWEST, axis=0))
    np.testing.assert_allclose(np.sort(found), np.broadcast_to(known, found.shape), atol=1e-14 * n)


@pytest.mark.parametrize("count", [1, FEWEST - 1])
def test_few_matrices_or_large_ones_are_left_to_lapack(count):
    for n, several in ((5, count), (LARGEST + 1, FEWEST)):
        matrices = np.repeat(np.diag(np.arange(1.0, n + 1))[None], several, axis=0)
        np.testing.assert_allclose(np.sort(gram_eigenvalues(matrices)), np.sort(np.diagonal(matrices, 0, 1, 2)))


def test_matrices_without_rows_have_no_eigenvalues():
    assert gram_eigenvalues(np.zeros((FEWEST, 0, 0))).shape == (FEWEST, 0)
    assert gram_eigenvalues(np.zeros((0, 3, 3))).shape == (0, 3)


def test_a_matrix_that_is_not_finite_ends_and_leaves_the_others_alone():
    matrices = grams(6, LANES, seed=4)
    expected = gram_eigenvalues(matrices)
    matrices[0], matrices[9, 3, 2] = np.inf, np.nan
    with np.errstate(invalid="ignore"):
        found = gram_eigenvalues(matrices)
    rest = [i for i in range(LANES) if i not in (0, 9)]
    np.testing.assert_array_equal(found[rest], expected[rest])


@pytest.mark.parametrize(
    "wrong", [np.zeros((2, 3, 4)), np.zeros((3, 3)), np.zeros((2, 3, 3), np.float32), np.zeros((3, 3, 2)).T]
)
def test_other_arrays_are_refused(wrong):
    with pytest.raises((TypeError, ValueError), match="grams"):
        gram_eigenvalues(wrong)
