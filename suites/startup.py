"""What fresh processes tell of starting: how long an import takes, and the first call of every kernel.

Nothing outside the standard library is imported with this module, so that a process begins with nothing of what it
times.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any

ROOT = Path(__file__).parents[1]
CODE = "import json; from suites import startup; print(json.dumps(startup.{}(*{!r})))"
SIZE = 64


def fresh(function: Callable[..., Any], *arguments: Any, **environment: str) -> Any:
    """What a function of this module returns in a process of its own; its arguments are plain values.

    Raises:
        RuntimeError: the process failed; the message ends with the last line of its standard error.
    """
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    code = CODE.format(function.__name__, arguments)
    known = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **environment}
    done = subprocess.run([sys.executable, "-c", code], env=known, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{function.__name__}{arguments}: {(done.stderr.strip().splitlines() or [''])[-1]}")
    return json.loads(done.stdout)


def imported(module: str) -> float:
    """Seconds that importing a module takes."""
    start = perf_counter()
    import_module(module)
    return perf_counter() - start


def arrays() -> Any:
    """x and dy that every kernel is called with, (SIZE,) of float32."""
    import numpy as np

    return np.linspace(-3, 3, SIZE, dtype=np.float32), np.linspace(1, 2, SIZE, dtype=np.float32)


def called(names: Sequence[str], directions: Sequence[str]) -> dict[str, Any]:
    """The first calls of activations in each direction, forward before backward.

    seconds: of each call; results: (activation, direction, "y" or "dx", values); compiled: how many kernels did not
    come from the cache.
    """
    import numpy as np

    from kernels import ACTIVATIONS
    from kernels.jit import compile_counts

    x, dy = arrays()
    seconds, results = [], []
    for name in names:
        row, y = ACTIVATIONS[name], np.full_like(x, np.nan)
        for direction in directions:
            outputs = {"y": np.full_like(x, np.nan), "dx": np.full_like(x, np.nan)}
            start = perf_counter()
            if direction == "forward":
                row.forward(y, x)
            elif direction == "backward":
                row.backward(outputs["dx"], dy, x, y)
            else:
                row.forward_backward(outputs["y"], outputs["dx"], dy, x)
            seconds.append(perf_counter() - start)
            written = {"forward": {"y": y}, "backward": {"dx": outputs["dx"]}}.get(direction, outputs)
            results += [(name, direction, what, values.tolist()) for what, values in written.items()]
    return {"seconds": seconds, "results": results, "compiled": compile_counts()[1]}
