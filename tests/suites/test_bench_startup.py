"""The costs of starting: asked of fresh processes, behind a gate, told in sentences."""

import json
import math

import pytest

from reports.load import load
from reports.method import setup, startup
from suites import bench_startup
from suites.gate import GateError
from suites.startup import called, fresh, imported

ONE = ["relu6"]


@pytest.fixture(scope="module")
def cold(tmp_path_factory):
    """One activation in an empty cache, then from it."""
    cache = str(tmp_path_factory.mktemp("cache"))
    return [fresh(called, ONE, bench_startup.DIRECTIONS, NUMBA_CACHE_DIR=cache) for _ in range(2)]


def test_an_empty_cache_has_every_direction_compiled_and_a_warm_one_none(cold):
    assert [found["compiled"] for found in cold] == [3, 0]
    assert all(len(found["seconds"]) == 3 and min(found["seconds"]) > 0 for found in cold)


def test_the_gate_tells_cold_from_warm(cold):
    for found, cached in zip(cold, (False, True), strict=True):
        bench_startup.check(found, cached)
        bench_startup.check(found)
        with pytest.raises(GateError, match="kernels were compiled from a"):
            bench_startup.check(found, not cached)


@pytest.mark.parametrize("position", range(4))
def test_the_gate_sees_a_wrong_result(cold, position):
    """Of y, dx and both at once: one element one part in a thousand off, or never written."""
    for wrong in (1.001, math.nan):
        found = json.loads(json.dumps(cold[1]))
        values = found["results"][position][3]
        values[40] *= wrong
        with pytest.raises(GateError, match="first call, relu6"):
            bench_startup.check(found)


def test_a_process_that_fails_says_why():
    with pytest.raises(RuntimeError, match="ModuleNotFoundError: No module named 'nonesuch'"):
        fresh(imported, "nonesuch")


def test_cold_compilation_leaves_the_users_cache_alone(monkeypatch, tmp_path):
    class Fixture:
        enabled, extra_info = True, {}

    def timed(work, call, check, how):
        check()
        call()

    monkeypatch.setattr(bench_startup, "NAMES", ONE)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    bench_startup.test_cold_compile(Fixture, timed)
    assert Fixture.extra_info["kernels"] == 3  # though the gate had compiled them already
    assert Fixture.extra_info["cold_compile_seconds"] > 0


def test_what_is_measured_is_told(session, tmp_path):
    done = session("suites/bench_startup.py", "--benchmark-only", "--gradfade-out", tmp_path / "out")
    assert done.returncode == 0, done.stdout
    assert "1 benchmarks left to the full profile" in done.stdout
    run = load(tmp_path / "out")
    rows = run["cost"].set_index("op")
    imports, calls = rows.loc["startup_import"], rows.loc["startup_first_call"]
    assert 0 < imports.import_seconds < imports["median"]
    assert imports.ratio == pytest.approx(imports.import_seconds / imports.numba_import_seconds)
    assert 0 < calls.first_call_ms <= calls.largest_first_call_ms < 1e3 * calls["median"]
    assert 0 < calls.llvm_ms < 1e3 * calls["median"]
    text = setup(run)["Starting"]
    assert text == startup(run["cost"])
    assert "times as long as importing numba" in text
    assert "the process's first, which starts LLVM" in text
    assert "Compiling" not in text
