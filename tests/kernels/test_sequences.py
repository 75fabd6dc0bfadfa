import numpy as np
import pytest

from kernels.sequences import as_sequence, last_step

DOUBLE = np.dtype(np.float64)


def test_an_example_becomes_a_sequence_of_its_pieces(rng, dtype):
    layer = as_sequence(3)
    state = layer.init(rng, (2, 6), dtype)
    x = np.arange(12, dtype=dtype).reshape(2, 6)
    y = layer.forward(state, x)
    np.testing.assert_array_equal(y, [[[0, 1], [6, 7]], [[2, 3], [8, 9]], [[4, 5], [10, 11]]])
    np.testing.assert_array_equal(layer.backward(state, y.copy()), x)


def test_no_examples_become_an_empty_sequence(rng, dtype):
    layer = as_sequence(3)
    state = layer.init(rng, (0, 6), dtype)
    assert layer.forward(state, np.empty((0, 6), dtype)).shape == (3, 0, 2)


def test_the_last_step_gets_all_of_the_gradient(rng, dtype):
    layer = last_step()
    state = layer.init(rng, (4, 2, 3), dtype)
    x, dy = rng.standard_normal((4, 2, 3)).astype(dtype), rng.standard_normal((2, 3)).astype(dtype)
    np.testing.assert_array_equal(layer.forward(state, x), x[-1])
    for _ in range(2):
        dx = layer.backward(state, dy)
        np.testing.assert_array_equal(dx[-1], dy)
        assert not dx[:-1].any()


def test_wrong_shapes_are_named(rng):
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        as_sequence(0)
    with pytest.raises(TypeError, match=r"^steps must be a whole number, got 2\.0$"):
        as_sequence(2.0)
    with pytest.raises(ValueError, match=r"the features a multiple of 3, got \(2, 7\)"):
        as_sequence(3).init(rng, (2, 7), DOUBLE)
    with pytest.raises(ValueError, match=r"at least one time step, got \(0, 2, 3\)"):
        last_step().init(rng, (0, 2, 3), DOUBLE)
    for layer, shape in ((as_sequence(2), (3, 4)), (last_step(), (2, 3, 4))):
        state = layer.init(rng, shape, DOUBLE)
        with pytest.raises(ValueError, match=r"x must have shape"):
            layer.forward(state, np.zeros((3, 3)))
        with pytest.raises(TypeError, match="dy must be float64, got float32"):
            layer.backward(state, np.zeros_like(state.saved["y"], np.float32))
