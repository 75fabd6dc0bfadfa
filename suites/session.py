"""The results folder of a benchmark session: what is measured is on disk at once, whole files follow at the end."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from suites.experiment import collect
from suites.journal import Journal
from suites.results import COST, JOURNAL, Run
from suites.schema import merge, rows

# What names a comparison beside the activation, and what it is where a benchmark does not say.
COMPARED = {"direction": "", "lane": "", "n": 0, "threads": 1, "subject": "", "size": ""}


class Session:
    """A run folder and the journal of its finished benchmarks."""

    def __init__(self, out: Path | None, configuration: Mapping[str, Any]) -> None:
        """Make or resume the folder; UserError as Run.create raises it."""
        self.run = Run.create(out, configuration)
        self.journal = Journal(self.run.folder / JOURNAL)

    @property
    def done(self) -> set[str]:
        """Names of the benchmarks that the folder holds."""
        return {record["fullname"] for record in self.journal.records}

    def close(self, document: Mapping[str, Any], finished: bool) -> None:
        """Write cost.json, which is document with every benchmark; at the end of a run the other tables too."""
        records = self.journal.records
        before = self.run.folder / COST
        told = dict(document["gradfade"])
        if told["limits"] is None and before.exists():  # nothing was left to time: what was probed then still holds
            told["limits"] = json.loads(before.read_text(encoding="utf-8"))["gradfade"]["limits"]
        self.run.write_json(COST, {**document, "gradfade": told, "benchmarks": records})
        peers = peer_rows([record["extra_info"] for record in records])
        if len(peers):
            self.run.write_table("peers", peers)
        if finished:
            collect(self.run)
            self.run.finish()


def peer_rows(facts: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """What bench_peers measured, from the extra_info of benchmarks: rows in the schema and more columns.

    contender and those of COMPARED name the comparison (subject and size that of layers and the like); metric
    ns_per_element has a row for the contender and one for gradfade beside it, ratio (the contender's time over
    gradfade's) one for the contender.
    """
    tables = []
    for info in facts:
        if "contender" in info:
            own = info["gradfade_ns_per_element"]
            for contender, metric, value, unit in (
                (info["contender"], "ns_per_element", info["ns_per_element"], "ns"),
                ("gradfade", "ns_per_element", own, "ns"),
                (info["contender"], "ratio", info["ratio"], "1"),
            ):
                row = rows(
                    {"experiment": info["op"], "activation": info["activation"], "dtype": info["dtype"]},
                    metric=metric,
                    value=value,
                    unit=unit,
                )
                named = {name: info.get(name, default) for name, default in COMPARED.items()}
                tables.append(row.assign(contender=contender, **named))
    return merge(tables)
