"""The command of the ledger, on a folder and by itself."""

import json

SMALL = ("--width", "8", "--seeds", "1")


def test_a_folder_is_judged_as_flat_objects(finished, gradfade):
    code, out, _ = gradfade("claims", finished, "--format", "json")
    assert code == 0
    rows = json.loads(out)
    assert [row["number"] for row in rows] == list(range(1, 26))
    sigmoid = rows[9]
    assert (sigmoid["claim"], sigmoid["source"]) == ("the gradient shrinks exponentially with depth", "D2 1 and 3")
    assert (sigmoid["measured"], sigmoid["theory"]) == (-31.5, -31.5)
    assert sigmoid["low"] < -31.5 < sigmoid["high"]
    assert sigmoid["verdict"] == "holds in part"
    assert rows[23]["verdict"] == "not testable as stated"
    assert rows[11]["verdict"] == "not measured in this run"
    assert "needs log10_gradient of plain tanh too_small, 50 layers" in rows[11]["why"]


def test_parts_have_their_bounds_and_reasons(finished, gradfade):
    code, out, _ = gradfade("claims", finished, "--parts", "--format", "json")
    assert code == 0
    parts = [row for row in json.loads(out) if row["number"] == 20]
    assert (parts[0]["least"], parts[0]["most"], parts[0]["said"]) == (-12, -8, -10)
    assert parts[0]["verdict"] == "does not hold"
    assert "fifth" in parts[0]["reason"]


def test_a_folder_is_not_measured_anew(finished, gradfade):
    code, out, err = gradfade("claims", finished, "--seeds", "4")
    assert (code, out) == (2, "")
    assert "--seeds is for measuring anew" in err
    assert gradfade("claims", "nowhere")[0] == 2
