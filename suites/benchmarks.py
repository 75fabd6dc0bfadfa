"""The benchmark suites run from Python: pytest in this process, with progress told and what it prints kept apart."""

import io
import logging
import os
import re
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from kernels import ACTIVATIONS, ARCHITECTURES, OPTIMIZERS
from kernels.names import advice
from suites import interrupts
from suites.comparisons import COMPARISONS
from suites.errors import UserError, known, whole
from suites.experiment import Progress
from suites.own_activations import beside_known
from suites.peers import CONTENDERS
from suites.profiles import PROFILES

log = logging.getLogger(__name__)

FOLDER = Path(__file__).parent
# Suite -> its file: "activations" for bench_activations.py.
SUITES = {path.stem.removeprefix("bench_"): path for path in sorted(FOLDER.glob("bench_*.py"))}
# What can be named to select benchmarks, beside suites.
NAMES = {**ACTIVATIONS, **ARCHITECTURES, **OPTIMIZERS, **COMPARISONS, **CONTENDERS, **SUITES}
# Those of the main job: attenuation is measured by its experiments there, peers need packages of their own.
COSTS = [name for name in SUITES if name not in ("attenuation", "peers")]


def run(
    suites: Sequence[str],
    profile: str,
    seed: int,
    folder: Path | None = None,
    select: str = "",
    more_to_come: bool = False,
    progress: Progress | None = None,
    own: Sequence[str] = (),
) -> dict[str, str]:
    """Time the benchmarks of some suites into a results folder; why each one that failed did, by its name.

    pytest's own -k selects among them; those that an unfinished folder holds are not timed again. more_to_come:
    they are part of the main job, which leaves the folder unfinished and which alone resumes it. own are activations
    of one's own, timed beside the known ones.

    Raises:
        UserError: a suite's or the profile's name is unknown, the seed is negative, an activation of one's own is
            wrong, nothing is selected, or the folder cannot be used.
        KeyboardInterrupt: the user interrupted; what was measured is in the folder.
    """
    known(PROFILES, "profile", [profile])
    arguments = [
        *map(str, known(SUITES, "suite", suites)),
        *("--benchmark-only", "--benchmark-disable-gc", "--capture=no", "--tb=line", "-k", select),
        *("-c", os.devnull, "--rootdir", str(FOLDER.parent), "-o", "python_files=bench_*.py"),
        *("--import-mode=importlib", "-p", "no:cacheprovider", "--gradfade-profile", profile),
        *("--gradfade-seed", str(whole("seed", seed, 0)), *(("--gradfade-out", str(folder)) if folder else ())),
        *(("--gradfade-unfinished",) if more_to_come else ()),
        *(f"--gradfade-activation={name}" for name in beside_known(own)),
    ]
    listener, output = _Listener(progress or (lambda done, total: None)), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        TemporaryDirectory() as storage,
        redirect_stdout(output),
        redirect_stderr(output),
    ):
        for name in [name for name in os.environ if name.startswith("PYTEST_")]:
            patch.delenv(name)  # such as PYTEST_ADDOPTS: what the user asks of tests of their own
        # pytest-benchmark makes its storage at once, in the working folder if not told otherwise
        status = pytest.main([*arguments, "--benchmark-storage", f"file://{storage}"], plugins=[listener])
    interrupts.check()
    if status == pytest.ExitCode.INTERRUPTED:
        raise KeyboardInterrupt
    if status == pytest.ExitCode.NO_TESTS_COLLECTED:
        if left := re.search(r"(\d+) benchmarks left to the full profile", output.getvalue()):
            raise UserError(f"the {left[1]} benchmarks that match are of the full profile: add --profile full")
        absent = [f"{row.name}: {row.absent}" for row in CONTENDERS.values() if "peers" in suites and row.absent]
        raise UserError("; ".join([f"no benchmark matches -k {select!r}", *absent, advice(NAMES, select)]))
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        lines = output.getvalue().strip().splitlines()
        errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
        raise UserError((errors or lines)[-1])
    return listener.failures


class _Listener:
    """A pytest plugin that tells how far the session is and what is skipped, and keeps why a benchmark failed."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.failures: dict[str, str] = {}
        self.skipped: set[str] = set()
        self.done = self.total = 0

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.total = len(session.items)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.skipped and report.longrepr[2] not in self.skipped:
            self.skipped.add(report.longrepr[2])
            log.info(report.longrepr[2])
        if report.failed:
            self.failures[report.nodeid] = report.longreprtext.strip().splitlines()[-1].removeprefix("E ").strip()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.done += 1
        self.progress(self.done, self.total)
