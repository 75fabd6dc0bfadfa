"""Norms are judged by the second document's thresholds, each, by kind of matrix, and counted."""

import math

import numpy as np
import pytest

from suites.norm_thresholds import by_kind, counted, extreme, judge_norms, one_by_one


def test_norms_are_judged_as_the_document_has_it():
    table = judge_norms([-7.0, -3.5, -2.0, -0.5, -6.5, -4.5, -3.9, 1.9])
    assert table.layer.tolist() == ["shallow"] * 4 + ["deep"] * 4
    expected = ["vanishes", "small", "as expected", "large", "vanishes", "small", "as expected", "as expected"]
    assert table.judgement.tolist() == expected
    assert judge_norms([-math.inf]).judgement.tolist() == ["vanishes"]
    assert set(judge_norms([math.nan, math.inf, 2.1, math.nan, math.inf, 2.1]).judgement) == {"explodes"}
    assert judge_norms([]).empty


@pytest.mark.parametrize(
    ("logs", "expected"),
    [([-2, -2], None), ([-7, -2], "vanishes"), ([-7, 3], "explodes"), ([-2, math.nan], "explodes"), ([-5, 1], None)],
)
def test_one_that_explodes_decides_before_one_that_vanishes(logs, expected):
    assert extreme(judge_norms(logs)) == expected


def test_both_ends_are_counted_with_their_limits():
    logs = [-7.0, -2.0, 3.0, 2.5]
    below, above = counted(judge_norms(logs), logs)
    assert (below["value"], below["threshold"], below["verdict"]) == (1, 1e-6, "vanishes")
    assert (above["value"], above["threshold"], above["verdict"]) == (2, 100.0, "explodes")
    assert all("of 4 weight matrices" in row["about"] for row in (below, above))


def test_a_kind_of_matrix_is_a_name_but_for_its_first_number():
    names = ["0.0.1.Wq", "0.1.0.W", "1.0.1.Wq", "1.1.0.W", "10.0.1.Wq", "10.1.0.W"]
    queries, dense = by_kind(names, [-2.0, -2.5, -7.0, -2.0, -8.0, -1.0])
    assert (queries["name"], queries["matrices"], queries["worst"], queries["verdict"]) == (
        "*.0.1.Wq", 3, "10.0.1.Wq", "vanishes"
    )  # fmt: skip
    assert (queries["smallest"], queries["largest"]) == pytest.approx((1e-8, 1e-2))
    assert (dense["name"], dense["verdict"], dense["worst"]) == ("*.1.0.W", "as expected", "0.1.0.W")


@pytest.mark.parametrize(
    ("logs", "worst", "verdict"),
    [
        ([-8.0, 3.0, 4.0], "3.W", "explodes"),
        ([-2.0, math.nan, -2.0], "2.W", "explodes"),
        ([-0.5, -0.2, -2.0], "2.W", "large"),
        ([-3.5, -3.2, -2.0], "1.W", "small"),
    ],
)
def test_the_worst_is_the_furthest_out(logs, worst, verdict):
    (row,) = by_kind(["1.W", "2.W", "3.W"], logs)
    assert (row["worst"], row["verdict"]) == (worst, verdict)
    assert row["largest"] == pytest.approx(10 ** np.nanmax(logs))


@pytest.mark.parametrize(
    ("logs", "smallest", "largest"),
    [
        ([math.nan, -2.0, -3.0], 1e-3, 1e-2),
        ([-2.0, math.nan], 1e-2, 1e-2),
        ([math.nan, math.inf, -math.inf], 0.0, math.inf),
        ([math.nan, math.nan], math.nan, math.nan),
    ],
)
def test_what_is_no_number_hides_no_smallest_and_no_largest(logs, smallest, largest):
    names = [f"{i}.W" for i in range(len(logs))]
    (row,) = by_kind(names, logs)
    assert (row["smallest"], row["largest"]) == pytest.approx((smallest, largest), nan_ok=True)
    assert (row["worst"], row["verdict"]) == (names[int(np.isnan(logs).argmax())], "explodes")


def test_one_by_one_they_stand_with_what_is_expected():
    first, last = one_by_one(["a", "b"], [-math.inf, 400.0])
    assert (first["value"], first["verdict"]) == (0, "vanishes")
    assert first["about"] == "shallow, expected 0.001 to 0.1"
    assert (last["value"], last["verdict"]) == (math.inf, "explodes")
    assert last["about"] == "deep, expected > 0.0001"


def test_a_name_without_a_number_is_a_kind_of_its_own():
    assert [row["name"] for row in by_kind(["head"], [0.0])] == ["head"]
    assert by_kind([], []) == one_by_one([], []) == []
