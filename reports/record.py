"""The environment of a run as the page lists it."""

from typing import Any

from reports.load import Tables
from reports.words import entries, size

SUBNORMAL = "subnormal numbers (flush-to-zero state)"


def record(run: Tables) -> dict[str, str]:
    """Name -> text: the environment, then what the benchmarks' session adds to it."""
    known = dict(run.environment)
    configuration = known.get("configuration") or {}
    known |= {name: value for name, value in run.session.items() if name not in configuration}
    if caches := known.get("caches"):
        known["caches"] = {level: size(value) for level, value in caches.items()}
    return {
        name: text
        for key, value in known.items()
        for name, text in ({SUBNORMAL: _subnormal(value)} if key == "denormals" else entries({key: value})).items()
    }


def _subnormal(state: dict[str, Any]) -> str:
    """ "kept before and after", "kept before, flushed after"."""
    before, after = (state.get(name) or "unknown" for name in ("before", "after"))
    return f"{before} before and after" if before == after else f"{before} before, {after} after"
