"""gradfade remedies as a user meets it."""

import json

import pandas as pd
import pytest

from reports import console
from reports.remedies import remedies
from suites.errors import UserError
from suites.results import Run

TINY = {"depth": 5, "length": 5, "width": 8, "batch": 4, "steps": 2, "seeds": 2}


def test_a_row_per_baseline_and_remedy(capsys):
    remedies(**TINY, format="json")
    rows = json.loads(capsys.readouterr().out)
    assert len({row["baseline"] for row in rows}) == 7
    adam = next(row for row in rows if row["remedy"] == "adam")
    assert adam["time_ratio"] > 0
    assert {row["remedy"] for row in rows} >= {"", "critical", "residual", "orthogonal", "lstm_chrono", "clip", "adam"}
    for _, part in pd.DataFrame(rows).groupby("baseline"):
        assert part.baseline_nanoseconds[part.remedy != ""].nunique() == 1


def test_a_terminal_gets_narrow_tables_and_both_experiments_are_kept_in_one_folder(capsys, tmp_path):
    remedies(**TINY, kinds=["time"], out=tmp_path / "run")
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.endswith(" in training")] == [
        "rnn tanh xavier_normal in training", "rnn tanh saturating in training"
    ]  # fmt: skip
    assert sum("norms in the first step" in line for line in lines) == 2
    assert not any("plain" in line for line in lines)
    assert max(len(line) for line in lines if line.startswith(("┃", "│"))) <= 80
    assert {path.stem for path in (tmp_path / "run").glob("*.parquet")} == {"remedies", "remedy_times"}
    with pytest.raises(UserError, match="holds a run finished"):
        remedies(**TINY, kinds=["time"], out=tmp_path / "run")


def test_a_run_that_is_resumed_says_so(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(console.notes, "print", told.append)
    with monkeypatch.context() as patch:
        patch.setattr(Run, "finish", lambda run: None)
        remedies(**TINY, kinds=["time"], out=tmp_path)
    said = f"gradfade: {tmp_path} held an unfinished run of this configuration: resumed"
    assert said not in told
    remedies(**TINY, kinds=["time"], out=tmp_path)
    assert told.count(said) == 1


def test_what_the_update_buys_is_told_with_its_price(capsys):
    """Adam and clipping, as any other remedy; clipping changes no layer's share, whatever rounding makes of it."""
    remedies(**TINY, kinds=["depth"])
    text = capsys.readouterr().out.split("\nplain sigmoid xavier_normal in training: ")[1].split("\nresidual")[0]
    head, *lines = (line for line in text.splitlines() if "┃" in line or "│" in line)
    assert [name.strip() for name in head.split("┃")[1:-1]] == [
        "remedy", "decades", "effect", "bought", "time", "per ns"
    ]  # fmt: skip
    (clip, norms) = ([cell.strip() for cell in line.split("│")] for line in lines if "clip " in line)
    assert clip[1:5:3] == ["clip", "0"]
    assert len(norms) == 7
    assert float(norms[5]) <= 1


def test_another_kind_is_the_users_mistake():
    with pytest.raises(UserError, match="kind must be depth or time, got 'width'"):
        remedies(**TINY, kinds=["width"])
