"""gradfade diagnose and remedies as a user meets them."""

import io
import json
from pathlib import Path

import click
import pandas as pd
import pytest
import typer

from reports.diagnose import diagnose as command
from suites.errors import UserError

SMALL = ("--width", "16", "--batch", "4", "--seeds", "3")
PRINTED = "fc1.weight: 0.000000\nfc1.bias: 0.1\nfc2.weight: 0.0123\nhead.weight: 0.31\n"


def diagnose(**options):
    """The command with options of Python's, none of them on the command line."""
    command(typer.Context(click.Command("diagnose")), **options)


def test_diagnose_says_verdict_cause_and_remedy(gradfade):
    code, out, err = gradfade("diagnose", "--activation", "sigmoid", "--depth", "30", *SMALL, "--format", "json")
    assert code == 0, err
    rows = json.loads(out)
    (subject,) = (row for row in rows if row["kind"] == "subject")
    assert (subject["name"], subject["verdict"], subject["seeds"]) == ("plain sigmoid xavier_normal", "vanishes", 3)
    assert subject["decades"] == pytest.approx(30 * subject["decades_per_layer"])
    assert subject["predicted_decades"] == pytest.approx(subject["decades"], abs=2)
    causes = {row["name"]: row for row in rows if row["kind"] == "cause"}
    assert causes["weight_scale"]["effect"] == "cause"
    assert causes["dead_units"]["effect"] == "no evidence"
    remedies = {row["name"]: row for row in rows if row["kind"] == "remedy"}
    assert remedies["tanh"]["decades_bought"] > 15
    assert remedies["layernorm"]["time_ratio"] > 0 < remedies["layernorm"]["nanoseconds"]
    assert remedies["clip"]["decades_bought"] == 0
    assert remedies["residual_scaled"]["effect"] == "mends"
    assert all((row["verdict"] == "healthy") >= (row["effect"] == "mends") for row in remedies.values())
    baselines = {row["baseline_nanoseconds"] for row in remedies.values()}
    assert len(baselines) == 1
    for row in remedies.values():
        assert row["added_nanoseconds"] == pytest.approx((row["time_ratio"] - 1) * row["baseline_nanoseconds"])
        assert row["time_ratio_low"] <= row["time_ratio"] <= row["time_ratio_high"]
    assert all(not isinstance(value, (list, dict)) for row in rows for value in row.values())


@pytest.fixture
def printed(capsys):
    """printed(command, **options): what the command prints in this process; options as Python has them."""

    def run(command, **options):
        command(**options)
        return capsys.readouterr().out

    return run


TINY = {"width": 16, "batch": 4, "seeds": 3}


def test_a_terminal_gets_sentences(printed):
    lines = printed(diagnose, architecture="gru", length=60, **TINY).splitlines()
    assert lines[0].startswith("gru tanh xavier_normal: vanishes. ")
    assert "per step" in " ".join(lines).partition(" The same gradient")[0]
    titles = {"The same gradient on several scales", "Norms of weight gradients, by kind of matrix"}
    titles |= {"Why: the same without each candidate, measured", "What would mend it, measured"}
    assert titles <= {*map(str.strip, lines)}
    assert sum("(decides)" in line for line in lines) == 1
    assert any(line.startswith("1 cause: forgetting (without it ") for line in lines)
    assert "forgetting: gates that start half closed forget" in lines
    assert any(line.startswith("time: a training step over the baseline's, ") for line in lines)
    assert max(map(len, lines)) <= 80


def test_healthy_is_healthy_and_needs_no_reason(printed):
    out = " ".join(printed(diagnose, depth=4, **TINY).split())
    assert out.startswith("plain tanh xavier_normal: healthy. ")
    assert "Why" not in out
    assert "Cause" not in out
    assert "Loss: softmax cross-entropy of random labels in 10 classes" in out
    assert "under 1e-06 a gradient vanishes, over 100 it explodes" in out


def test_rows_are_kept(printed, tmp_path):
    printed(diagnose, activation="sigmoid", depth=20, **TINY, out=tmp_path / "run", format="csv")
    kept = pd.read_parquet(tmp_path / "run" / "depth.parquet")
    assert {"sigmoid", "tanh"} <= set(kept.activation)
    assert {"plain", "layernorm"} <= set(kept.architecture)


@pytest.mark.parametrize("header", ["", "name,norm\n"])
def test_norms_of_ones_own(printed, tmp_path, header):
    text = header + PRINTED.replace(": ", ",") if header else PRINTED
    (tmp_path / "norms.txt").write_text(text)
    rows = json.loads(printed(diagnose, norms=tmp_path / "norms.txt", format="json"))
    assert rows[0]["verdict"] == "vanishes"
    assert {row["name"]: row["verdict"] for row in rows if row["kind"] == "parameter"} == {
        "fc1.weight": "vanishes", "fc1.bias": None, "fc2.weight": "as expected", "head.weight": "as expected"
    }  # fmt: skip


def test_norms_from_standard_input(printed, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(PRINTED))
    out = printed(diagnose, norms=Path("-"))
    told = " ".join(out.split())
    assert told.startswith("standard input: vanishes, by absolute norms. 1 of 3 under 1e-06 (fc1.weight: 0). ")
    assert "By parameter" in out
    assert "left" not in told.partition("By parameter")[0]
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"architecture": "rnn", "depth": 5}, "rnn is a cell: give a length"),
        ({"length": 5}, "plain has no time steps: give a depth"),
        ({"architecture": "pyramid"}, "unknown architecture 'pyramid'"),
        ({"activation": "none"}, "unknown activation 'none'"),
        ({"initializer": "chrono"}, "chrono sets the biases of gates, and plain has none"),
        ({"depth": 0}, "depth must be a whole number of 1 or more"),
        ({"seeds": 0}, "seeds must be"),
        ({"dtype": "float16"}, "dtype must be float32 or float64"),
        ({"norms": "bad.csv"}, "line 2: a norm must be a number of 0 or more, inf, nan or None, got '-3'"),
        ({"norms": "binary"}, "binary: not a text file"),
    ],
)
def test_mistakes_are_the_users(tmp_path, options, message):
    (tmp_path / "bad.csv").write_text("a.weight,1\nb.weight,-3\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00\x01")
    if "norms" in options:
        options = {"norms": tmp_path / options["norms"]}
    with pytest.raises(UserError, match=message):
        diagnose(**options)


def test_a_mistake_is_told_in_a_line(gradfade):
    code, out, err = gradfade("diagnose", "--norms", "absent.csv")
    assert (code, out) == (2, "")
    assert err.strip() == "gradfade: absent.csv: No such file or directory"


@pytest.mark.parametrize(
    "option",
    [("--depth", "50"), ("--width", "256"), ("--architecture", "lstm"), ("--out", "run"), ("--init", "he_normal")],
)
def test_norms_are_not_measured(gradfade, tmp_path, option):
    (tmp_path / "norms").write_text(PRINTED)
    code, out, err = gradfade("diagnose", "--norms", tmp_path / "norms", *option)
    assert (code, out) == (2, "")
    assert err.strip() == f"gradfade: --norms judges norms as they are: {option[0]} is for measuring, without it"


def test_an_exploded_network_has_a_verdict(printed, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("a.weight: nan\nb.weight: inf\nc.weight: 3e+38\n"))
    out = printed(diagnose, norms=Path("-"))
    told = " ".join(out.split())
    assert told.startswith("standard input: explodes, by absolute norms. 3 of 3 over 100 (a.weight: no number, ")
    assert "healthy" not in out
    assert "free" not in out


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid")
def test_what_overflows_is_healthy_on_no_scale(printed):
    options = {"activation": "relu", "initializer": "saturating", "depth": 60, "seeds": 2, "width": 64, "batch": 4}
    out = printed(diagnose, **options, format="json")
    scales = {row["name"]: row["verdict"] for row in json.loads(out) if row["kind"] == "scale"}
    assert set(scales.values()) == {"explodes", "no number"}
    assert scales["float32 gradient is 0"] == scales["weight gradients that vanish"] == "no number"
