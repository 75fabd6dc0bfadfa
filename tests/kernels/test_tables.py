import numpy as np

from kernels.jit import kernel
from kernels.tables import array_at, table


@kernel(name="test_tables_double")
def double(like, table):
    for k in range(table.shape[1]):
        x, y = array_at(like, table[1, k], table[0, k]), array_at(like, table[2, k], table[0, k])
        for i in range(x.size):
            y[i] = 2 * x[i]


def test_a_loop_reaches_every_array_of_a_table(rng, dtype):
    shapes = [(), (0,), (1,), (7,), (3, 5), (2, 3, 4)]
    xs = [np.asarray(rng.standard_normal(shape), dtype) for shape in shapes]
    memory = [np.full(x.size + 2, np.nan, dtype) for x in xs]
    ys = [y[1:-1].reshape(x.shape) for x, y in zip(xs, memory, strict=True)]
    made = table(xs, ys)
    assert made[0].tolist() == [x.size for x in xs]
    double(np.empty(0, dtype), made)
    for x, y, whole in zip(xs, ys, memory, strict=True):
        np.testing.assert_array_equal(y, 2 * x)
        assert np.isnan(whole[[0, -1]]).all()


def test_a_table_of_nothing(dtype):
    made = table([], [])
    assert made.shape == (3, 0)
    double(np.empty(0, dtype), made)
