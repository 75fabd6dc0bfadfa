"""The certifier is awake: a fault planted into any kernel's results is found, at one input too."""

from dataclasses import replace

import mpmath
import numpy as np
import pytest

from kernels.activations import ACTIVATIONS
from kernels.elementwise import Activation
from suites import certify, points
from suites.certificate import broken, certificate
from suites.errors import UserError
from suites.exact import FORMS
from suites.ulp import unit

DIRECTIONS = [(name, direction) for name, row in ACTIVATIONS.items() for direction in certify._functions(row)]
METHODS = {certify.FORWARD: "forward", certify.DERIVATIVE: "backward", certify.BY_A: "backward"}
EVERY = "exhaustive"


def cell(name, dtype="float32", **more):
    found = certify.cells(activations=[name], dtypes=[dtype], count=2**12)[0]
    return replace(found, **more)


def line(name, direction, dtype="float32", **more):
    """The certificate's line of a small sample, or of the points that are given."""
    table = certificate(certify.measure(cell(name, dtype, **more)))
    (found,) = table[table.direction == direction].to_dict("records")
    return found


def plant(monkeypatch, direction, spoil):
    """spoil(x, results) changes what the kernels write in that direction."""
    right = getattr(Activation, METHODS[direction])

    def wrong(self, out, *arguments):
        right(self, out, *arguments)
        x = arguments[METHODS[direction] == "backward"]
        by_a = len(arguments) > 4  # dy, x, y, a and da
        if direction == certify.FORWARD or by_a == (direction == certify.BY_A):
            with np.errstate(all="ignore"):
                spoil(x.ravel(), arguments[-1] if by_a else out)

    monkeypatch.setattr(Activation, METHODS[direction], wrong)


def off(name, direction, dtype=np.float32):
    """shift(x, results, where): three units further from the exact value, or one more than what is promised."""
    row = ACTIVATIONS[name]
    steps = max(3, int(certify._promise(row, direction, dtype)) + 1)

    def shift(x, results, where):
        with np.errstate(all="ignore"):
            exact = certify._functions(row)[direction](x[where].astype(np.float64), row.a)
        wrong = results[where]
        away = np.where(wrong < exact, -np.inf, np.inf).astype(dtype)
        for _ in range(steps):
            wrong = np.nextafter(wrong, away)
        results[where] = wrong

    return shift


@pytest.mark.parametrize(("name", "direction"), DIRECTIONS)
def test_a_fault_in_one_binade_is_found(monkeypatch, name, direction):
    shift = off(name, direction)
    plant(monkeypatch, direction, lambda x, y: shift(x, y, (x > -8) & (x <= -4)))
    found = line(name, direction)
    assert found["verdict"] == "broken"
    assert "largest_ulp" in found["broken_by"]
    assert -8 < float(found["at"]) <= -4


@pytest.mark.parametrize(("name", "direction"), DIRECTIONS)
@pytest.mark.parametrize("edge", [np.float32(1.0), np.finfo(np.float32).smallest_subnormal])
def test_a_fault_at_one_edge_is_found(monkeypatch, name, direction, edge):
    shift = off(name, direction)
    plant(monkeypatch, direction, lambda x, y: shift(x, y, x == edge))
    found = line(name, direction)
    assert "largest_ulp" in found["broken_by"]
    assert np.float32(found["at"]) == edge
    assert int(found["at_bits"], 16) == int(edge.view(np.uint32))


@pytest.mark.parametrize("point", ["kinks", "joints"])
def test_a_fault_beside_a_kink_or_joint_is_found(monkeypatch, point):
    for name, row in ACTIVATIONS.items():
        for place in getattr(row, point):
            edge = np.nextafter(np.float32(place), np.float32(-np.inf))
            shift = off(name, "forward")
            with monkeypatch.context() as patch:
                plant(patch, "forward", lambda x, y, edge=edge, shift=shift: shift(x, y, x == edge))
                assert np.float32(line(name, "forward")["at"]) == edge, (name, place)


@pytest.mark.parametrize(
    ("name", "direction"), [("softplus", "forward"), ("hardtanh", "derivative"), ("prelu", "forward")]
)
def test_a_fault_in_float64_is_found(monkeypatch, name, direction):
    shift = off(name, direction, np.float64)
    plant(monkeypatch, direction, lambda x, y: shift(x, y, x == 0.5))
    found = line(name, direction, "float64")
    assert "largest_ulp" in found["broken_by"]
    assert (found["at"], found["at_bits"]) == ("0.5", "0x3fe0000000000000")


@pytest.mark.parametrize("first", [0x3F000000, 0xBF000000])
@pytest.mark.parametrize("place", [0, 1, certify.CHUNK - 1, certify.CHUNK, 2**17 - 1])
def test_all_patterns_of_a_range_are_tested_once(monkeypatch, first, place):
    """A fault at a single one of them is found, wherever it lies in the pieces that are judged at once."""
    edge = np.array(first + place, np.uint32).view(np.float32)
    shift = off("sigmoid", "forward")
    plant(monkeypatch, "forward", lambda x, y: shift(x, y, x == edge))
    found = line("sigmoid", "forward", points=EVERY, first=first, count=2**17)
    assert found["points"] == 2**17
    assert int(found["at_bits"], 16) == first + place
    assert found["tested"] == EVERY


def test_cells_of_everything_are_all_patterns_once():
    cells = certify.cells(activations=["relu"], dtypes=["float32"], exhaustive=True)
    own = [cell for cell in cells if cell.by == "gradfade"]
    starts = [cell.first for cell in own]
    assert starts == [*range(0, 2**32, own[0].count)]
    assert all(cell.points == EVERY for cell in own)


FAULTS = {
    "flush to zero": (
        "tanh", lambda x, y: np.copyto(y, 0, where=np.abs(y) < np.finfo(np.float32).smallest_normal),
        "flushed_subnormals",
    ),
    "NaN as zero": ("relu", lambda x, y: np.copyto(y, 0, where=np.isnan(x)), "non_finite_mismatches"),
    "one payload of NaN": (
        "relu", lambda x, y: np.copyto(y, 0, where=x.view(np.uint32) == 0xFF800001), "non_finite_mismatches"
    ),
    "NaN at infinity": ("swish", lambda x, y: np.copyto(y, np.nan, where=np.isneginf(x)), "non_finite_mismatches"),
    "overflow": ("softplus", lambda x, y: np.copyto(y, np.inf, where=x > 1e38), "non_finite_mismatches"),
    "sign of zero": ("erf", lambda x, y: np.copyto(y, 0, where=x == 0), "sign_of_zero_mismatches"),
    "sign of what vanished": ("swish", lambda x, y: np.copyto(y, 0, where=x < -200), "sign_of_zero_mismatches"),
    "other sign": ("softsign", lambda x, y: np.negative(y, out=y), "largest_ulp"),
    "a constant beyond": ("sigmoid", lambda x, y: np.copyto(y, np.float32(1 - 2**-22), where=x > 30), "largest_ulp"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_what_ulp_do_not_tell_is_found(monkeypatch, fault):
    name, spoil, measure = FAULTS[fault]
    plant(monkeypatch, "forward", spoil)
    found = line(name, "forward")
    assert found["verdict"] == "broken"
    assert measure in found["broken_by"]


def test_steps_back_are_counted(monkeypatch):
    plant(monkeypatch, "forward", lambda x, y: np.copyto(y, y - np.float32(1e-6), where=x == 0.5))
    assert line("identity", "forward")["monotonicity_breaks"] == 1


@pytest.mark.parametrize(("name", "direction"), DIRECTIONS)
def test_the_float64_references_are_right_to_a_hundredth_of_a_float32_unit(name, direction):
    """At float32 of all binades and at the edges, subnormal results among them; around the zero of f' absolutely."""
    row = ACTIVATIONS[name]
    x = certify._sample(cell(name, count=2**10), row, row.a)
    x = x[np.isfinite(x)]
    x = np.random.default_rng(1).choice(x, 1500, replace=False)
    order = list(certify._functions(row)).index(direction)
    a = None if row.a is None else float(np.float32(row.a))
    reference = certify._references(row, x, a)[direction]
    units = unit(reference.value, np.float32)
    if reference.near is not None:
        units[reference.near] = 2.0**-25
    with mpmath.workprec(200):
        parameter = None if a is None else mpmath.mpf(a)
        for point, value, spacing in zip(x.tolist(), reference.value.tolist(), units.tolist(), strict=True):
            if np.isfinite(value) and spacing < np.inf:
                assert abs(FORMS[name][order](mpmath.mpf(point), parameter) - value) <= spacing / 100, point


def test_every_row_with_a_parameter_is_tested_with_others():
    assert {name for name, row in ACTIVATIONS.items() if row.tested_a} == {
        name for name, row in ACTIVATIONS.items() if row.a is not None
    }
    cells = certify.cells(activations=["silu"], dtypes=["float32"])
    assert [cell.parameter_a for cell in cells if cell.by == certify.OWN] == [1.0, *ACTIVATIONS["swish"].tested_a]


def test_the_parameter_is_rounded_as_the_kernel_sees_it():
    assert line("leaky_relu", "derivative")["largest_ulp"] == 0  # 0.01 is no float32


def test_the_seed_chooses_the_sample():
    row = ACTIVATIONS["relu"]
    one, other = (certify._sample(cell("relu", seed=seed), row, None) for seed in (0, 1))
    assert np.intersect1d(one.view(np.uint32), other.view(np.uint32)).size < one.size / 2


def test_kernels_that_leave_results_out_are_found(monkeypatch):
    monkeypatch.setattr(Activation, "forward", lambda self, y, x, a=None: None)
    assert line("relu", "forward")["non_finite_mismatches"] > 1000


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"activations": ["tahn"]}, "unknown activation 'tahn'; nearest: tanh"),
        ({"dtypes": ["float16"]}, "unknown dtype 'float16'; valid: float32, float64"),
        ({"seed": -1}, "seed must be"),
        ({"count": 1}, "count must be"),
    ],
)
def test_mistakes_are_refused(grid, message):
    with pytest.raises(UserError, match=message):
        certify.cells(**grid)


def test_peers_stand_beside_where_they_are_installed(monkeypatch):
    """A peer with a sigmoid that flushes: its errors are told, and break no promise."""
    from suites.peers import CONTENDERS, Contender

    def element(activation, direction, into, arrays):
        row = ACTIVATIONS[activation]
        results = certify._own(row, arrays.x, None)
        y = results["forward" if direction == "forward" else "derivative"]
        return lambda: (np.where(np.abs(y) < np.finfo(np.float32).smallest_normal, 0, y),)

    monkeypatch.setitem(CONTENDERS, "torch", Contender(name="torch", element=element))
    cells = certify.cells(activations=["sigmoid"], dtypes=["float32"], count=2**12)
    (peer,) = (found for found in cells if found.by == "torch")
    table = certificate(certify.measure(peer))
    assert (table.flushed_subnormals > 0).all()
    assert (table.verdict == "").all()
    assert broken(table).empty


def test_points_of_a_sample_are_the_edges_and_the_sample():
    row = ACTIVATIONS["gelu"]
    x = certify._sample(cell("gelu"), row, None)
    there = set(x.view(np.uint32).tolist())
    zero = np.float32(row.derivative_zero)
    for expected in (points.sample(np.float32, 2**12, 0), points.neighbours(np.array([zero]), 2)):
        assert set(expected.view(np.uint32).tolist()) <= there
