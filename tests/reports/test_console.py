"""Progress: the time left is that of what is left, and a log gets a line now and then."""

import io
import logging
from pathlib import Path

import pytest
from rich.console import Console

from reports import console


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 1000.0

    monkeypatch.setattr(console, "monotonic", lambda: Clock.now)
    return Clock


@pytest.fixture(params=[True, False], ids=["terminal", "log"])
def stream(monkeypatch, request):
    stream = io.StringIO()
    monkeypatch.setattr(console, "notes", Console(file=stream, force_terminal=request.param, width=100))
    stream.terminal = request.param
    return stream


def test_what_was_done_before_does_not_count(clock):
    pace = console.Pace()
    assert pace.left(900, 1000) == "-:--:--"
    clock.now += 60
    assert pace.left(901, 1000) == "1:39:00"
    clock.now += 60
    assert pace.left(904, 1000) == "0:48:00"
    assert pace.left(1000, 1000) == "0:00:00"


def test_two_that_end_together_are_no_faster_than_they_were(clock):
    """As of two workers: a pace from the time between the last two would be infinite."""
    pace = console.Pace()
    pace.left(0, 10)
    clock.now += 8
    assert pace.left(1, 10) == "0:01:12"
    assert pace.left(2, 10) == "0:00:32"


def test_a_terminal_sees_a_bar_and_a_log_a_line_every_half_minute(clock, stream):
    with console.progress_bar("depth") as report:
        for done in range(91):
            report(done, 90)
            clock.now += 1
    text = stream.getvalue()
    if stream.terminal:
        assert "90/90" in text
        assert "left" in text
    else:
        assert text.splitlines() == [
            "gradfade: depth: 30 of 90 done, 0:01:00 left",
            "gradfade: depth: 60 of 90 done, 0:00:30 left",
        ]


def test_nothing_is_said_where_there_is_nothing_to_do(stream):
    with console.progress_bar("depth") as report:
        report(0, 0)
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("logger", "told"),
    [
        ("suites.experiment", "gradfade: 3 cells"),
        ("distributed.core", "distributed: 3 cells"),
        ("root", "root: 3 cells"),
    ],
)
def test_what_a_library_logs_is_told_as_the_library_s(logger, told):
    record = logging.LogRecord(logger, logging.INFO, "", 0, "%d cells", (3,), None)
    assert console.Told().format(record) == told


@pytest.mark.parametrize("out", [None, Path("run")])
def test_who_interrupts_is_told_where_it_is_kept(monkeypatch, out):
    told = []
    monkeypatch.setattr(console.notes, "print", told.append)
    with pytest.raises(KeyboardInterrupt), console.resumable(out):
        raise KeyboardInterrupt
    kept = "what was measured is in run, and the same command goes on with it"
    assert told == [f"interrupted; {kept if out else 'nothing is kept without --out'}"]
