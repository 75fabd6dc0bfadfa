"""Cells that kill their worker, for tests whose workers import it by name: fixture flaky."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from suites.experiment import Experiment
from suites.schema import rows


@dataclass(frozen=True)
class FlakyCell:
    """One that kills its worker so many times, counted in the folder, before it is measured."""

    seed: int
    folder: str = ""
    kills: int = 0
    seconds: float = 0.0


def measure(cell):
    time.sleep(cell.seconds)
    deaths = [Path(cell.folder) / f"{cell.seed}-{kill}" for kill in range(cell.kills)]
    for death in deaths:
        if not death.exists():
            death.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return rows({"experiment": "flaky"}, seed=cell.seed, position=range(2), value=[cell.seed, cell.seed / 3])


FLAKY = Experiment("flaky", list, measure)
