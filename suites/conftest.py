"""pytest's side of the benchmarks: options and profiles, the gate and limits of each one, and the results folder."""

from argparse import ArgumentTypeError
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from kernels import jit
from kernels.blas import set_threads
from kernels.openblas import blas_info
from suites import grids, interrupts
from suites import limits as machine
from suites.environment import denormals
from suites.errors import UserError
from suites.levels import caches
from suites.measure import time_gated
from suites.own_activations import beside_known
from suites.profiles import PROFILES, configuration
from suites.session import Session

SESSION = pytest.StashKey[Session]()
LEFT = pytest.StashKey[int]()
DONE = pytest.StashKey[int]()
LIMITS = pytest.StashKey[dict[str, dict[str, float]]]()
BEFORE = pytest.StashKey[str]()
OWN = pytest.StashKey[list[str]]()


def pytest_addoption(parser):
    group = parser.getgroup("gradfade")
    group.addoption("--gradfade-profile", choices=list(PROFILES), default="quick", help="What is timed. Default: quick")
    group.addoption("--gradfade-out", type=Path, metavar="DIR", help="Results folder. Default: results/<run-id>")
    group.addoption("--gradfade-seed", type=natural, default=0, metavar="N", help="Seed of the inputs. Default: 0")
    group.addoption(
        "--gradfade-activation",
        action="append",
        default=[],
        metavar="FILE.py:NAME",
        help="An activation of your own, timed beside the known ones; may be repeated. `gradfade run --help` has more",
    )
    group.addoption(
        "--gradfade-unfinished", action="store_true", help="Part of `gradfade run`: leave its results folder open"
    )


def natural(text):
    """A number of the command line that is a whole one of 0 or more."""
    if not text.isdecimal():
        raise ArgumentTypeError(f"must be a whole number of 0 or more, got {text!r}")
    return int(text)


def pytest_configure(config):
    config.addinivalue_line("markers", "full: timed by --gradfade-profile full alone")
    config.addinivalue_line("markers", "grid: what a benchmark is parametrized by")
    # pytest-benchmark's words where the gate is red or the user interrupts it, which is said anyway
    config.addinivalue_line("filterwarnings", "ignore:Benchmark fixture was not used at all")
    config.stash[BEFORE] = denormals()
    interrupts.listen()
    with usage_errors():
        config.stash[OWN] = beside_known(option(config, "activation"))


@contextmanager
def usage_errors():
    """The user's mistakes as pytest tells them."""
    try:
        yield
    except UserError as error:
        raise pytest.UsageError(str(error)) from None


def option(config, name):
    """An option of this file; its default where pytest met the file too late to know its options."""
    return config.getoption(f"gradfade_{name}", {"profile": "quick", "seed": 0, "activation": []}.get(name))


def pytest_generate_tests(metafunc):
    """Benchmarks of the grids, over one's own activations too."""
    if found := grids.of(metafunc.function):
        metafunc.parametrize(",".join(found.axes), found.cells(metafunc.config.stash[OWN]))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(session, config, items):
    """After -k and the like: leave what is not of the profile, and what the results folder holds already."""
    ours = [item for item in items if "timed" in getattr(item, "fixturenames", ())]
    profile = option(config, "profile")
    left = [item for item in ours if profile != "full" and item.get_closest_marker("full") and not named(config, item)]
    config.stash[LEFT] = len(left)
    for item in ours:
        item.add_marker(pytest.mark.benchmark(**rounds(config, profile)))
    deselect(config, items, left)
    plugin = config.pluginmanager.get_plugin("pytest-benchmark")
    idle = plugin.disabled or plugin.skip or config.option.collectonly or session.testsfailed
    if len(ours) > len(left) and not idle:
        command = "run" if option(config, "unfinished") else "bench"
        asked = configuration(command, profile, option(config, "seed"), config.stash[OWN])
        with usage_errors():
            opened = Session(option(config, "out"), asked)
            held = opened.done
        config.stash[SESSION] = opened
        done = [item for item in items if item.nodeid in held]
        config.stash[DONE] = len(done)
        deselect(config, items, done)


def named(config, item):
    """Whether the command line names this very benchmark."""
    return any("[" in argument and item.nodeid.endswith(Path(argument).name) for argument in config.args)


def rounds(config, profile):
    """The profile's options of pytest-benchmark that the command line does not set."""
    given = " ".join(str(argument) for argument in config.invocation_params.args).replace("-", "_")
    return {key: value for key, value in PROFILES[profile].rounds.items() if f"__benchmark_{key}" not in given}


def deselect(config, items, out):
    """Take the items out of the session, as -k does."""
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]


@pytest.fixture(scope="session")
def limits(pytestconfig):
    """What one core of this machine can do, probed when the first benchmark asks; one thread from there on."""
    set_threads(1)
    return pytestconfig.stash.setdefault(LIMITS, machine.measure())


@pytest.fixture(scope="session")
def seed(pytestconfig):
    """The seed of every benchmark's inputs."""
    return option(pytestconfig, "seed")


@pytest.fixture(scope="session")
def results(pytestconfig):
    """The session's results folder; None where nothing is timed."""
    return pytestconfig.stash.get(SESSION, None)


@pytest.fixture
def timed(benchmark, request):
    """timed(work, call, gate, **extra_info): check, then time; the only way a benchmark here is timed."""
    return partial(time_gated, benchmark, request.getfixturevalue("limits") if benchmark.enabled else {})


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    interrupts.check()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Each finished benchmark goes to disk at once."""
    report = yield
    stats = getattr(getattr(item, "funcargs", {}).get("benchmark"), "stats", None)
    session = item.config.stash.get(SESSION, None)
    if session is not None and stats is not None and call.when == "call" and report.passed:
        session.journal.append(stats.as_dict())
    return report


def pytest_sessionfinish(session, exitstatus):
    config = session.config
    if SESSION not in config.stash:
        return
    if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:  # the folder holds all that was selected
        exitstatus = session.exitstatus = pytest.ExitCode.OK
    hook, plugin = config.hook, config.pluginmanager.get_plugin("pytest-benchmark")
    commit = hook.pytest_benchmark_generate_commit_info(config=config)
    hook.pytest_benchmark_update_commit_info(config=config, commit_info=commit)
    document = hook.pytest_benchmark_generate_json(
        config=config, benchmarks=[], include_data=True, machine_info=plugin.get_machine_info(), commit_info=commit
    )
    hook.pytest_benchmark_update_json(config=config, benchmarks=[], output_json=document)
    complete = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
    config.stash[SESSION].close(document, finished=complete and not option(config, "unfinished"))


def pytest_benchmark_update_machine_info(machine_info):
    machine_info["gradfade"] = {"target": jit.TARGET[0], "blas": blas_info(), "caches": caches()}


def pytest_benchmark_update_json(config, output_json):
    hits, misses = jit.compile_counts()
    output_json["gradfade"] = {
        "profile": option(config, "profile"),
        "seed": option(config, "seed"),
        "left_to_full": config.stash.get(LEFT, 0),
        "limits": config.stash.get(LIMITS, None),
        "compile": {"seconds": jit.compile_seconds(), "from_cache": hits, "compiled": misses},
        "denormals": {"before": config.stash[BEFORE], "after": denormals()},
    }


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter, config):
    write = terminalreporter.write_line
    if left := config.stash.get(LEFT, 0):
        write(f"{left} benchmarks left to the full profile (--gradfade-profile full)")
    if SESSION not in config.stash:
        return
    session, (hits, misses) = config.stash[SESSION], jit.compile_counts()
    if session.run.resumed:
        done = config.stash[DONE]
        write(f"the results folder held an unfinished run of this configuration: resumed, {done} benchmarks were done")
    write(f"{jit.compile_seconds():.1f} s compiling, not in any time: {misses} kernels compiled, {hits} from the cache")
    write(f"subnormal numbers: {config.stash[BEFORE]} before, {denormals()} after")
    write(f"results: {session.run.folder}")
