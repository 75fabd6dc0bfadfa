"""The certificate of accuracy in a terminal, on the page and as a document."""

import numpy as np
import pandas as pd
import pytest
from markupsafe import escape

from kernels.activations import ACTIVATIONS
from reports import accuracy
from reports.page import render
from suites.certificate import certificate
from suites.schema import merge, rows
from suites.ulp import MEASURES

FINE = dict.fromkeys(MEASURES, 0.0) | {"points": 100.0, "correctly_rounded": 90.0, "promised_ulp": 2.0}
ENVIRONMENT = {
    "time": "2026-01-01T00:00:00+00:00", "commit": "abc", "modified": True, "cpu": "Test CPU", "cores": 2,
    "target": "skylake", "versions": dict.fromkeys(("numba", "llvmlite", "numpy", "scipy"), "1.0"),
}  # fmt: skip


def measured(name, by="gradfade", ulp=1.0, dtype="float32", **more):
    values = FINE | {"largest_ulp": ulp} | more
    identity = {"experiment": "accuracy", "dataset": "sample", "activation": name, "dtype": dtype, "by": by}
    return rows(identity, direction="forward", metric=list(values), value=list(values.values()), position=0.5)


ROWS = merge([
    measured("tanh", ulp=0.75), measured("tanh", "torch", 4.0), measured("tanh", "jax", 5e6, non_finite_mismatches=7.0),
    measured("erf", ulp=2.5), measured("erf", "torch", 0.5), measured("tanh", dtype="float64"),
])  # fmt: skip


@pytest.fixture
def table():
    return certificate(ROWS)


def test_peers_stand_in_columns_beside(table):
    beside = accuracy.beside(table).set_index(["name", "dtype"])
    assert list(beside.index) == [("tanh", "float32"), ("erf", "float32"), ("tanh", "float64")]
    assert beside.torch_ulp.tolist()[:2] == [4.0, 0.5]
    assert np.isnan(beside.torch_ulp.iloc[2])
    assert beside.loc[("tanh", "float32"), "jax_non_finite"] == 7
    assert accuracy.peers(accuracy.beside(table)) == ["torch", "jax"]


def test_the_finding_tells_that_a_run_over_all_inputs_is_unfinished():
    some = measured("tanh", points=2.0**31).assign(dataset="exhaustive")
    assert accuracy.finding(accuracy.beside(certificate(some))).startswith(
        "0 of 1 promise of accuracy are kept. 1 promise not tested on all inputs yet, but on 50% at least."
    )


def test_the_finding_counts_no_promise_of_ones_own(table):
    own = measured("f.py:g", ulp=3e6, promised_ulp=np.inf)
    rows = accuracy.beside(certificate(merge([ROWS, own])))
    found, alone = accuracy.finding(rows), accuracy.finding(accuracy.beside(certificate(own)))
    assert alone == "Your own activations promise nothing; their largest errors are 3e+06 ULP (f.py:g)."
    assert found == f"{accuracy.finding(accuracy.beside(table))} {alone}"
    assert rows.set_index("name").verdict["f.py:g"] == "no promise"
    assert "| f.py:g |" in accuracy.document(certificate(merge([ROWS, own])), ENVIRONMENT)


def test_the_finding_names_what_is_broken_and_the_largest_errors(table):
    assert accuracy.finding(accuracy.beside(table)) == (
        "2 of 3 promises of accuracy are kept; broken: forward of erf in float32. "
        "The largest errors in float32 are 2.5 ULP (forward)."
    )


def test_a_terminal_sees_counts_only_where_there_are_any(table):
    always = ["name", "direction", "a", "dtype", "by", "ulp", "promised", "at", "right", "verdict"]
    assert list(accuracy.shown(table)) == [*always, "not finite"]
    assert list(accuracy.shown(certificate(measured("tanh")))) == always


def test_the_document_has_commit_machine_columns_and_peers(table, tmp_path):
    path = tmp_path / "docs" / "accuracy.md"
    accuracy.write(path, table, ENVIRONMENT)
    text = path.read_text(encoding="utf-8")
    for fact in ("commit: abc (modified)", "Test CPU, 2 cores", "2026-01-01", "numba 1.0", "forward of erf in float32"):
        assert fact in text
    lines = text.splitlines()
    assert "### float32, sample: 100 inputs per row at least" in lines
    assert any(line.startswith("| tanh |  | forward | 2 | 0.75 | 0.5 | 0x3f000000 | 90.0000 % |") for line in lines)
    assert "| name | direction | gradfade_ulp | torch_ulp | jax_ulp | torch_non_finite | jax_non_finite |" in lines
    assert "| tanh | forward | 0.75 | 4 | 5e+06 | 0 | 7 |" in lines
    assert "monotonicity breaks |" not in text
    reasons = text[text.index(f"### {accuracy.TRADES}") :].splitlines()
    assert reasons[2:] == [f"- **{name}**: {ACTIVATIONS[name].trade}" for name in ("tanh", "erf")]


def test_a_document_without_peers():
    text = accuracy.document(certificate(measured("relu")), ENVIRONMENT)
    assert accuracy.PEERS_TITLE not in text
    assert accuracy.TRADES not in text
    assert text.count("| name |") == 1


def test_the_page_has_a_section_with_promise_measured_value_and_peers(keep):
    run = keep("depth")
    ROWS.to_parquet(run / "accuracy.parquet", index=False)
    text = render(run).read_text(encoding="utf-8")
    assert '<section id="certificate">' in text
    assert "broken: forward of erf in float32" in text
    (line,) = (part for part in text.split("<tr>") if "<td>float32</td>" in part and ">tanh<" in part)
    for cell in (">2.00<", ">0.750<", "<td>0.5</td>", ">90.0 %<", "<td>kept</td>", ">4.00<", ", 7 not finite<"):
        assert cell in line
    for name in ("tanh", "erf"):
        assert f"<li><strong>{name}</strong>: {escape(ACTIVATIONS[name].trade)}</li>" in text
    saved = pd.read_csv(run / "report" / "figures" / "certificate.csv")
    assert saved.largest_ulp.tolist() == [0.75, 2.5, 1.0]


def test_a_page_without_it(keep):
    assert "certificate" not in render(keep("depth")).read_text(encoding="utf-8")
