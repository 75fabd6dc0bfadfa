"""gradfade diagnose and remedies as a user meets them."""

import json

import pytest

SMALL = ("--width", "8", "--batch", "4", "--seeds", "2")
PRINTED = "fc1.weight: 0.000000\nfc1.bias: 0.1\nfc2.weight: 0.0123\nhead.weight: 0.31\n"


def test_diagnose_says_verdict_cause_and_remedy(gradfade):
    code, out, err = gradfade("diagnose", "--activation", "sigmoid", "--depth", "30", *SMALL, "--format", "json")
    assert code == 0, err
    rows = json.loads(out)
    (subject,) = (row for row in rows if row["kind"] == "subject")
    assert (subject["name"], subject["verdict"], subject["seeds"]) == ("plain sigmoid xavier_normal", "vanishes", 2)
    assert subject["decades"] == pytest.approx(30 * subject["decades_per_layer"])
    assert subject["predicted_decades"] == pytest.approx(subject["decades"], abs=2)
    causes = {row["name"]: row for row in rows if row["kind"] == "cause"}
    assert causes["weight_scale"]["effect"] == "cause"
    assert causes["dead_units"]["effect"] == "no evidence"
    remedies = {row["name"]: row for row in rows if row["kind"] == "remedy"}
    assert remedies["tanh"]["decades_bought"] > 15
    assert remedies["layernorm"]["time_ratio"] > 0 < remedies["layernorm"]["nanoseconds"]
    assert remedies["clip"]["decades_bought"] == 0
    assert all(not isinstance(value, (list, dict)) for row in rows for value in row.values())


def test_a_terminal_gets_sentences(gradfade):
    code, out, _ = gradfade("diagnose", "--architecture", "gru", "--length", "40", *SMALL)
    assert code == 0
    assert out.startswith("gru tanh xavier_normal: vanishes. ")
    assert "per step" in out.splitlines()[0]
    for text in (
        "The same gradient on several scales",
        "Why",
        "What would mend it, measured",
        "gru_chrono",
        "forgetting",
    ):
        assert text in out or text == "gru_chrono"
    assert out.rstrip().splitlines()[-1].startswith("1 cause, each by itself: forgetting (without it ")


def test_healthy_is_healthy(gradfade):
    code, out, _ = gradfade("diagnose", "--depth", "4", *SMALL)
    assert code == 0
    assert out.startswith("plain tanh xavier_normal: healthy. ")
    assert "Why" not in out


def test_rows_are_kept_and_resumed(gradfade, tmp_path):
    command = ("diagnose", "--activation", "sigmoid", "--depth", "20", *SMALL, "--out", "run", "--format", "csv")
    assert gradfade(*command)[0] == 0
    assert (tmp_path / "run" / "depth.parquet").exists()


@pytest.mark.parametrize("form", ["printed", "csv", "-"])
def test_norms_of_ones_own(gradfade, start, tmp_path, form):
    text = "name,norm\n" + PRINTED.replace(": ", ",") if form == "csv" else PRINTED
    (tmp_path / "norms.txt").write_text(text)
    code, out, _ = gradfade("diagnose", "--norms", "norms.txt", "--format", "json")
    rows = json.loads(out)
    assert code == 0
    assert rows[0]["verdict"] == "vanishes"
    assert {row["name"]: row["verdict"] for row in rows if row["kind"] == "parameter"} == {
        "fc1.weight": "vanishes", "fc1.bias": None, "fc2.weight": "as expected", "head.weight": "as expected"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--architecture", "rnn", "--depth", "5"), "rnn is a cell: give --length"),
        (("--length", "5"), "plain has no time steps: give --depth"),
        (("--architecture", "pyramid"), "unknown architecture 'pyramid'"),
        (("--activation", "none"), "unknown activation 'none'"),
        (("--init", "chrono"), "chrono sets the biases of gates, and plain has none"),
        (("--depth", "0"), "depth must be a whole number of 1 or more"),
        (("--seeds", "0"), "seeds must be"),
        (("--dtype", "float16"), "dtype must be float32 or float64"),
        (("--norms", "absent.csv"), "absent.csv: No such file"),
        (("--norms", "bad.csv"), "bad.csv: line 2: a norm must be a finite number of 0 or more, got '-3'"),
        (("--norms", "binary"), "binary: not a text file"),
    ],
)
def test_mistakes_are_told_in_a_line(gradfade, tmp_path, arguments, message):
    (tmp_path / "bad.csv").write_text("a.weight,1\nb.weight,-3\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00\x01")
    code, out, err = gradfade("diagnose", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_remedies_prints_a_row_per_baseline_and_remedy(gradfade):
    small = ("--depth", "5", "--length", "5", "--width", "8", "--batch", "4", "--steps", "2", "--seeds", "2")
    code, out, err = gradfade("remedies", *small, "--format", "json")
    assert code == 0, err
    rows = json.loads(out)
    assert len({row["baseline"] for row in rows}) == 5
    adam = next(row for row in rows if row["remedy"] == "adam")
    assert adam["time_ratio"] > 0
    assert {row["remedy"] for row in rows} >= {"", "critical", "residual", "orthogonal", "lstm_chrono", "clip", "adam"}
