"""Eigenvalues of many small Gram matrices at once, of which LAPACK would take one after the other.

The same entry of LANES matrices lies side by side, so that each step of the textbook's two, to tridiagonal form and to
diagonal form, is a loop over matrices that fills vectors.
"""

import math
from typing import Any

import numpy as np

from kernels.checks import check_input
from kernels.intrinsics import load, store
from kernels.jit import kernel

Array = np.ndarray[Any, Any]

LANES = 32
# So many of at most so many rows are sooner done side by side than one after the other by LAPACK.
FEWEST, LARGEST = 12, 64
EPS = float(np.finfo(np.float64).eps)
SWEEPS = 50  # for one eigenvalue, of which two or three are what it takes


@kernel()
def _tridiagonal(d, e, a, p, spare):
    """Householder's reduction of the lower triangles of a (n, n, lanes), which it overwrites, from the last row on.

    d (n, lanes): the diagonal. e (n, lanes): in row i + 1, squares of what stands beside it in rows i and i + 1.
    (Golub & Van Loan 2013, Matrix computations, section 8.3.1.)
    """
    n, lanes = a.shape[0], a.shape[2]
    inverse, half, total = spare[0], spare[1], spare[2]
    for i in range(n - 1, 0, -1):
        u, diagonal, squares = a[i], d[i], e[i]
        corner, last = u[i], u[i - 1]
        squares[:] = 0.0
        for k in range(i):
            uk = u[k]
            for s in range(lanes):
                store(squares, s, load(squares, s) + load(uk, s) * load(uk, s))
        for s in range(lanes):
            x, square = load(last, s), load(squares, s)
            beside = -math.copysign(math.sqrt(square), x)
            store(diagonal, s, load(corner, s))
            store(last, s, x - beside)
            norm = square - x * beside  # half of u'u
            store(inverse, s, 1.0 / norm if norm > 0.0 else 0.0)
        p[:i] = 0.0  # a u
        for j in range(i):
            row, uj, pj = a[j], u[j], p[j]
            rowj = row[j]
            for s in range(lanes):
                store(total, s, load(rowj, s) * load(uj, s))
            for k in range(j):
                x, uk, pk = row[k], u[k], p[k]
                for s in range(lanes):
                    store(pk, s, load(pk, s) + load(x, s) * load(uj, s))
                    store(total, s, load(total, s) + load(x, s) * load(uk, s))
            for s in range(lanes):
                store(pj, s, load(pj, s) + load(total, s))
        half[:] = 0.0
        for j in range(i):
            uj, pj = u[j], p[j]
            for s in range(lanes):
                x = load(pj, s) * load(inverse, s)
                store(pj, s, x)
                store(half, s, load(half, s) + 0.5 * load(inverse, s) * x * load(uj, s))
        for j in range(i):
            uj, pj = u[j], p[j]
            for s in range(lanes):
                store(pj, s, load(pj, s) - load(half, s) * load(uj, s))
        for j in range(i):
            row, uj, pj = a[j], u[j], p[j]
            for k in range(j + 1):
                x, uk, pk = row[k], u[k], p[k]
                for s in range(lanes):
                    store(x, s, load(x, s) - (load(pj, s) * load(uk, s) + load(uj, s) * load(pk, s)))
    d[0] = a[0, 0]


@kernel()
def _diagonal(d, e, spare):
    """d, e as _tridiagonal leaves them, to the eigenvalues in d; NaN where SWEEPS do not find one.

    QL with implicit shifts, without square roots in its rotations (Parlett 1998, The symmetric eigenvalue problem,
    section 8.15, the algorithm of Pal, Walker and Kahan); a matrix that is done waits for those beside it unchanged.
    """
    n, lanes = d.shape
    least, going, shift, gamma, p, c, s2 = spare[0], spare[1], spare[2], spare[3], spare[4], spare[5], spare[6]
    least[:] = 0.0
    for i in range(n):
        di = d[i]
        for s in range(lanes):
            store(least, s, load(least, s) + EPS * load(di, s))  # of the trace, no eigenvalue being larger
    last = d[n - 1]
    for first in range(n - 1):
        here, there, beside = d[first], d[first + 1], e[first + 1]
        for _ in range(SWEEPS):
            left = 0
            for s in range(lanes):
                left += beside[s] > least[s] * least[s]
            if left == 0:
                break
            for s in range(lanes):
                x, square = load(here, s), load(beside, s)
                gap = 0.5 * (load(there, s) - x)
                root = gap + math.copysign(math.sqrt(gap * gap + square), gap)
                sigma = x - (square / root if root != 0.0 else 0.0)
                g = load(last, s) - sigma
                store(going, s, 1.0 if square > load(least, s) * load(least, s) else 0.0)
                store(shift, s, sigma)
                store(gamma, s, g)
                store(p, s, g * g)
                store(c, s, 1.0)
                store(s2, s, 0.0)
            for i in range(n - 2, first - 1, -1):
                di, ei, dj, ej = d[i], e[i + 1], d[i + 1], e[min(i + 2, n)]
                for s in range(lanes):
                    alive = load(going, s) != 0.0
                    square, old = load(ei, s), load(gamma, s)
                    r = load(p, s) + square
                    over = 1.0 / r
                    cosine = load(p, s) * over if r > 0.0 else 1.0
                    sine = square * over if r > 0.0 else 0.0
                    alpha, x, y = load(di, s), load(dj, s), load(ej, s)
                    g = cosine * (alpha - load(shift, s)) - sine * old
                    turned, coupled = old + (alpha - g), load(s2, s) * r
                    quotient, product = g * g / cosine, load(c, s) * square
                    store(dj, s, turned if alive else x)
                    store(ej, s, coupled if alive else y)
                    store(p, s, quotient if cosine != 0.0 else product)
                    store(gamma, s, g)
                    store(c, s, cosine)
                    store(s2, s, sine)
            for s in range(lanes):
                alive, x, y = load(going, s) != 0.0, load(here, s), load(beside, s)
                found, rest = load(shift, s) + load(gamma, s), load(s2, s) * load(p, s)
                store(here, s, found if alive else x)
                store(beside, s, rest if alive else y)
        else:
            for s in range(lanes):
                if beside[s] > least[s] * least[s]:
                    here[s] = math.nan


def gram_eigenvalues(grams: Array) -> Array:
    """The eigenvalues (matrices, n), in any order, of grams (matrices, n, n), float64, C-contiguous.

    A Gram matrix is the product of a matrix with its transpose. Right to a few EPS of the trace, which is 0 or between
    1e-100 and 1e100. What stands beside a matrix changes no bit of its eigenvalues, but how many there are may, as
    FEWEST says. Raises TypeError or ValueError for other arrays.
    """
    check_input("grams", grams, np.dtype(np.float64), None, None, None)
    count, n, columns = grams.shape
    if columns != n:
        raise ValueError(f"grams must be square, got {n} x {columns}")
    if count < FEWEST or not 0 < n <= LARGEST:
        return np.linalg.eigvalsh(grams)
    found = np.empty((count, n))
    a, p, d, e, spare = (np.zeros((*rows, LANES)) for rows in ((n, n), (n,), (n,), (n + 1,), (7,)))
    for start in range(0, count, LANES):
        some = grams[start : start + LANES]
        a[..., : len(some)] = np.moveaxis(some, 0, -1)
        a[..., len(some) :] = 0.0
        _tridiagonal(d, e, a, p, spare)
        _diagonal(d, e, spare)
        found[start : start + LANES] = d[:, : len(some)].T
    return found
