"""A results folder is made, resumed or refused, and its files are whole."""

import json

import pandas as pd
import pytest

from suites.errors import UserError
from suites.results import RECORD, Run, write_whole
from suites.schema import rows

CONFIGURATION = {"profile": "quick", "seed": 0}


def record(run):
    return json.loads((run.folder / RECORD).read_text())


def test_a_new_run_has_its_record(tmp_path):
    run = Run.create(tmp_path / "deep" / "run", CONFIGURATION)
    assert not run.resumed
    assert record(run)["configuration"] == CONFIGURATION
    assert record(run)["finished"] is None


def test_default_folders_are_below_results_and_differ(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    first, second = Run.create(None, CONFIGURATION), Run.create(None, CONFIGURATION)
    assert first.folder.parent.name == "results"
    assert first.folder != second.folder


def test_an_empty_folder_is_used(tmp_path):
    assert not Run.create(tmp_path, CONFIGURATION).resumed


def test_an_unfinished_run_of_the_same_configuration_is_resumed(tmp_path):
    Run.create(tmp_path / "run", {"seed": 0, "names": ("a", "b")})
    assert Run.create(tmp_path / "run", {"names": ["a", "b"], "seed": 0}).resumed


def test_a_resumed_run_keeps_its_record_and_says_what_changed_since(tmp_path, monkeypatch, caplog):
    first = record(Run.create(tmp_path / "run", CONFIGURATION))
    assert record(Run.create(tmp_path / "run", CONFIGURATION)) == {**first, "resumed": {}}
    assert caplog.text == ""
    for time, changes in (("later", {"cpu": "other"}), ("last", {"cpu": "other", "commit": "abc"})):
        monkeypatch.setattr("suites.results.environment", lambda now={**first, "time": time, **changes}: now)
        Run.create(tmp_path / "run", CONFIGURATION)
        again = record(Run.create(tmp_path / "run", CONFIGURATION))
    assert again == {**first, "resumed": {"later": {"cpu": "other"}, "last": {"commit": "abc"}}}
    assert caplog.text.count("was begun with") == 2
    assert f"was begun with cpu {first['cpu']}, and is resumed with other" in caplog.text


def test_another_configuration_is_refused_and_left_alone(tmp_path):
    run = Run.create(tmp_path / "run", CONFIGURATION)
    before = (run.folder / RECORD).read_bytes()
    with pytest.raises(UserError, match="another configuration \\(seed: 0 there, 1 asked\\)"):
        Run.create(run.folder, {**CONFIGURATION, "seed": 1})
    assert (run.folder / RECORD).read_bytes() == before


def test_a_finished_run_is_refused(tmp_path):
    run = Run.create(tmp_path / "run", CONFIGURATION)
    write_whole(run.folder / "cells" / "depth" / "a.parquet", lambda path: path.touch())
    run.finish()
    assert record(run)["denormals"]["after"] == record(run)["denormals"]["before"]
    assert not (run.folder / "cells").exists()
    with pytest.raises(UserError, match="holds a run finished at 2"):
        Run.create(run.folder, CONFIGURATION)


@pytest.mark.parametrize(
    "content", ['{"finished": null, "conf', "[1, 2]", "{}", '{"finished": null, "configuration": 3}']
)
def test_a_truncated_or_foreign_record_is_refused(tmp_path, content):
    (tmp_path / RECORD).write_text(content)
    with pytest.raises(UserError, match="truncated or not gradfade's"):
        Run.create(tmp_path, CONFIGURATION)
    assert (tmp_path / RECORD).read_text() == content


def test_a_folder_of_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(UserError, match="holds no run of gradfade"):
        Run.create(tmp_path, CONFIGURATION)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_folder_that_cannot_be_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot use"):
        Run.create(tmp_path / "file" / "run", CONFIGURATION)
    with pytest.raises(UserError, match="cannot write /proc/run"):
        Run.create(type(tmp_path)("/proc/run"), CONFIGURATION)


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def fail(temporary):
        temporary.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match=r"cannot write .*file: No space left on device"):
        write_whole(path, fail)
    assert path.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_arrow_says_of_a_full_disk_is_told_as_the_system_says_it(tmp_path):
    def fail(temporary):
        raise OSError(28, "Error writing bytes to file. Detail: [errno 28] No space left on device")

    with pytest.raises(UserError, match=r"cannot write .*file: No space left on device$"):
        write_whole(tmp_path / "file", fail)


def test_an_interrupted_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def interrupt(temporary):
        temporary.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(path, interrupt)
    assert path.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_tables_are_parquet(tmp_path):
    run = Run.create(tmp_path / "run", CONFIGURATION)
    table = rows({"experiment": "depth"}, position=range(3), value=[1.0, 2.0, 3.0])
    run.write_table("depth", table)
    pd.testing.assert_frame_equal(pd.read_parquet(run.folder / "depth.parquet"), table)
