"""The certificate: pieces come together, and each kind of fault breaks it, of gradfade alone."""

import numpy as np
import pandas as pd
import pytest

from suites.certificate import broken, certificate
from suites.schema import merge, rows
from suites.ulp import MEASURES

FINE = dict.fromkeys(MEASURES, 0.0) | {
    "points": 100.0,
    "correctly_rounded": 90.0,
    "largest_ulp": 1.5,
    "promised_ulp": 2.0,
}


def piece(name="gelu", direction="derivative", by="gradfade", dtype="float32", at=-0.75, **measures):
    """Rows of one cell; whatever is not 0 was met at the same input."""
    values = FINE | measures
    identity = {"experiment": "accuracy", "dataset": "sample", "activation": name, "dtype": dtype, "by": by}
    metric, value = list(values), list(values.values())
    return rows(
        identity, direction=direction, metric=metric, value=value, position=[at if v else np.nan for v in value]
    )


def one(*pieces):
    (line,) = certificate(merge(list(pieces))).to_dict("records")
    return line


def test_a_line_tells_its_subject_and_the_input_to_be_pasted_back():
    line = one(piece(at=float(np.float32(0.1))))
    assert (line["name"], line["direction"], line["by"], line["tested"]) == ("gelu", "derivative", "gradfade", "sample")
    assert (line["at"], line["at_bits"]) == ("0.1", "0x3dcccccd")
    assert line["correctly_rounded"] == 0.9
    assert line["verdict"] == "kept"
    assert line["broken_by"] == ""
    assert np.isnan(line["a"])
    assert line["promised_absolute"] is None
    assert one(piece(at=-0.1, dtype="float64"))["at_bits"] == "0xbfb999999999999a"


def test_all_inputs_are_not_certified_before_all_are_tested():
    some = piece(points=2.0**31, correctly_rounded=2.0**31).assign(dataset="exhaustive")
    assert one(some)["verdict"] == "unfinished"
    assert one(some, some)["verdict"] == "kept"
    assert one(piece(points=2.0**31, largest_ulp=2.5).assign(dataset="exhaustive"))["verdict"] == "broken"


def test_what_promises_nothing_breaks_no_promise():
    line = one(piece(promised_ulp=np.inf, largest_ulp=1e7, non_finite_mismatches=3.0))
    assert (line["verdict"], line["broken_by"], line["promised_ulp"]) == ("no promise", "", None)
    assert (line["largest_ulp"], line["non_finite_mismatches"]) == (1e7, 3)
    assert one(piece(promised_ulp=np.inf).assign(by="torch"))["verdict"] == ""


def test_pieces_of_one_subject_are_one_line():
    line = one(
        piece(at=1.0, monotonicity_breaks=2.0),
        piece(at=2.0, largest_ulp=1.75, points=60.0, correctly_rounded=60.0, monotonicity_breaks=1.0),
    )
    assert (line["largest_ulp"], line["at"]) == (1.75, "2.0")
    assert (line["points"], line["monotonicity_breaks"]) == (160, 3)
    assert line["correctly_rounded"] == pytest.approx(150 / 160)


def test_other_subjects_have_lines_of_their_own():
    pieces = [piece(), piece("tanh"), piece(by="torch"), piece(dtype="float64"), piece(direction="forward")]
    table = certificate(merge([*pieces, piece().assign(parameter_a=2.0), piece().assign(dataset="exhaustive")]))
    assert len(table) == 7


@pytest.mark.parametrize(
    "fault", ["non_finite_mismatches", "sign_of_zero_mismatches", "flushed_subnormals", "largest_ulp"]
)
def test_faults_break_the_promise_and_are_named_with_their_input(fault):
    line = one(piece(), piece(at=-3.0, **{fault: 3.0}))
    assert (line["verdict"], line["broken_by"]) == ("broken", f"{fault} at -3.0")


def test_a_promise_is_kept_to_the_last_digit():
    assert one(piece(largest_ulp=2.0))["verdict"] == "kept"
    assert one(piece(largest_ulp=np.nextafter(2, 3)))["verdict"] == "broken"


def test_the_absolute_promise():
    assert one(piece(largest_absolute=2.0**-25, promised_absolute=2.0**-25))["verdict"] == "kept"
    line = one(piece(largest_absolute=2.0**-24, promised_absolute=2.0**-25))
    assert line["broken_by"] == "largest_absolute at -0.75"


def test_steps_back_break_only_the_promise_of_ordered_results():
    assert one(piece(monotonicity_breaks=5.0))["verdict"] == "kept"
    line = one(piece(monotonicity_breaks=5.0, largest_ulp=0.5, promised_ulp=0.5))
    assert line["broken_by"] == "monotonicity_breaks at -0.75"


def test_peers_promised_nothing():
    table = certificate(merge([piece(by="torch", largest_ulp=1e6, non_finite_mismatches=3.0)]))
    assert table.verdict.tolist() == [""]
    assert broken(table).empty


def test_no_rows_no_lines():
    assert certificate(merge([])).empty
    assert isinstance(certificate(merge([])), pd.DataFrame)
