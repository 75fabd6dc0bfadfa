"""Where array sizes come from."""

import pytest

from suites import levels
from suites.levels import KIB, MIB


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        # a small core, a server's share of a large L3, one without an L3
        ({"L1": 32 * KIB, "L2": 512 * KIB, "L3": 8 * MIB}, {"L1": 4 * KIB, "L2": 64 * KIB, "L3": MIB}),
        ({"L1": 48 * KIB, "L2": 2 * MIB, "L3": 300 * MIB}, {"L1": 4 * KIB, "L2": 256 * KIB, "L3": 8 * MIB}),
        ({"L1": 64 * KIB, "L2": MIB}, {"L1": 8 * KIB, "L2": 128 * KIB}),
    ],
)
def test_four_arrays_fill_at_most_half_of_their_level(sizes, expected):
    assert levels.array_bytes(sizes) == {**expected, "DRAM": 64 * MIB}


def test_sysfs_is_read_and_instruction_caches_are_not(tmp_path):
    for index, (level, kind, size) in enumerate(
        [(1, "Data", "48K"), (1, "Instruction", "32K"), (2, "Unified", "2048K")]
    ):
        folder = tmp_path / f"index{index}"
        folder.mkdir()
        for name, content in (("level", level), ("type", kind), ("size", size)):
            (folder / name).write_text(f"{content}\n")
    assert levels._sysfs(tmp_path) == {"L1": 48 * KIB, "L2": 2 * MIB}


def test_unreadable_caches_fall_back(monkeypatch, tmp_path):
    monkeypatch.setattr(levels, "SYSFS", tmp_path / "missing")
    monkeypatch.setattr(levels.platform, "system", lambda: "Linux")
    assert levels.caches.__wrapped__() == levels.UNKNOWN


def test_both_dtypes_fill_the_same_bytes():
    for level in levels.levels():
        assert levels.elements(level, "float32") == 2 * levels.elements(level, "float64") > 0
