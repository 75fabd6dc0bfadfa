"""The commands critical, phase and spectrum as a user meets them."""

import json

import pytest

OWN = """
import math

def cube(x, a):
    return x * x * x

def cube_derivative(x, y, a):
    return type(x)(3) * x * x

def blast(x, a):
    return math.exp(x)

def blast_derivative(x, y, a):
    return y
"""


def test_critical_of_own_activations_and_biases(gradfade, tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    names = ("own.py:cube", "own.py:blast", "tanh")
    code, out, err = gradfade("critical", *names, "--bias-variance", "0", "--bias-variance", "0.05", "--format", "json")
    assert code == 0, err
    rows = {(row["name"], row["bias_variance"]): row for row in json.loads(out)}
    assert list(rows) == [(name, sb2) for name in names for sb2 in (0.0, 0.05)]
    assert rows["tanh", 0.05]["critical_weight_variance"] == pytest.approx(1.76, abs=0.005)
    assert rows["tanh", 0.0]["lecun_depth_scale"] is None  # infinite
    assert rows["own.py:cube", 0.0]["critical_weight_variance"] is None
    assert rows["own.py:cube", 0.0]["gain"] == pytest.approx(27**-0.5)
    assert rows["own.py:blast", 0.0]["gain"] == pytest.approx(2.718281828**-1)


def test_phase_prints_the_plane_and_its_rows(gradfade):
    options = ("--activation", "relu", "--points", "2", "--depth", "4", "--width", "8")
    code, out, err = gradfade("phase", *options, "--format", "json")
    assert code == 0, err
    table = json.loads(out)
    assert [(row["weight_variance"], row["bias_variance"]) for row in table] == [(2, 0), (4, 0), (2, 0.4), (4, 0.4)]
    assert [row["phase"] for row in table] == ["critical", "explodes"] * 2
    code, out, err = gradfade("phase", *options, "--rows", "--format", "json")
    assert {row["metric"] for row in json.loads(out)} > {"log10_gradient", "predicted_log10_gradient", "chi"}


def test_spectrum_prints_a_summary_and_keeps_its_rows(gradfade, tmp_path):
    grid = ("--activation", "identity", "--init", "orthogonal", "--depth", "3", "--depth", "5", "--width", "6")
    code, out, err = gradfade("spectrum", *grid, "--seeds", "2", "--out", "kept", "--format", "json")
    assert code == 0, err
    assert [row["depth"] for row in json.loads(out)] == [3, 5]
    assert all(row["log10_mean_s2"] == pytest.approx(0, abs=1e-12) for row in json.loads(out))
    assert (tmp_path / "kept" / "spectrum.parquet").exists()
    code, out, err = gradfade("spectrum", "--architecture", "batchnorm")
    assert (code, out) == (2, "")
    valid = "valid: plain, residual, residual_scaled, layernorm"
    assert err == f"gradfade: batchnorm mixes samples or tokens, so one input alone has no Jacobian; {valid}\n"
    code, out, err = gradfade("spectrum", "--architecture", "transformer")
    assert (code, out) == (2, "")
    assert err == f"gradfade: unknown architecture across depth 'transformer'; {valid}\n"
