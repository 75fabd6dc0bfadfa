import numpy as np
import pytest

from kernels import jit, probe


def test_fma_chain_computes_and_counts(dtype):
    lanes = probe.chain_lanes(dtype)
    x = np.arange(lanes).astype(dtype)
    assert probe.fma_chain(x, 3) == 2 * lanes * 3
    np.testing.assert_allclose(x, np.arange(lanes) / 8 + 0.875)  # x -> x/2 + 1/2, three times


@pytest.mark.skipif(not jit.host_has("avx512f"), reason="counts 512-bit instructions")
def test_fma_chain_keeps_its_numbers_in_registers():
    dtype = np.dtype(np.float32)
    probe.fma_chain(np.zeros(probe.chain_lanes(dtype), dtype), 1)
    lines = jit.assembly(probe._FMA[dtype]).splitlines()
    fused = [line for line in lines if "vfmadd" in line]
    assert sum("zmm" in line for line in fused) >= 16
    assert not any("(" in line for line in fused if "zmm" in line)


@pytest.mark.parametrize("n", [0, 1, 67, 2000])
def test_bandwidth_probes_compute(rng, dtype, n):
    x, y = rng.integers(-9, 9, (2, n)).astype(dtype)
    z = np.full(n, np.nan, dtype)
    assert probe.read(x, rounds=3) == 3 * x.sum()
    probe.triad(z, y, x, rounds=2)
    np.testing.assert_array_equal(z, x * y)
    probe.copy(z, x)
    np.testing.assert_array_equal(z, x)
    for threads in (1, 2):
        for streams in (False, True):
            copied, product = np.full((2, n), np.nan, dtype)
            probe.copy(copied, x, 2, threads, streams)
            probe.triad(product, y, x, 2, threads, streams)
            np.testing.assert_array_equal(copied, x)
            np.testing.assert_array_equal(product, x * y)


def test_wrong_arguments_are_named():
    x = np.zeros(4)
    with pytest.raises(ValueError, match=r"x must have shape \(128\), got \(4,\)"):
        probe.fma_chain(x, 1)
    with pytest.raises(ValueError, match=r"x must have shape \(any\), got \(2, 2\)"):
        probe.read(x.reshape(2, 2))
    with pytest.raises(ValueError, match=r"y must have shape \(4\), got \(5,\)"):
        probe.copy(np.zeros(5), x)
    with pytest.raises(ValueError, match="z must not share memory with y"):
        probe.triad(x, x, np.zeros(4))
