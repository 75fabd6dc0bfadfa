"""The folder of a run: made, resumed or refused before anything is computed; every file written whole or not at all."""

import json
import logging
import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from suites.environment import denormals, environment, now
from suites.errors import UserError

log = logging.getLogger(__name__)

# The files of a run, beside one Parquet table per experiment, and the folder of an unfinished one's cells.
RECORD = "environment.json"
COST = "cost.json"
JOURNAL = "cost.jsonl"
CELLS = "cells"
# What makes numbers of one run hard to compare where it changed between the run's parts.
STABLE = ("cpu", "commit")


@dataclass(frozen=True)
class Run:
    """A results folder. resumed tells that it was there, unfinished, with the same configuration."""

    folder: Path
    configuration: Mapping[str, Any]
    resumed: bool = False

    @classmethod
    def create(cls, out: Path | None, configuration: Mapping[str, Any]) -> "Run":
        """The folder out, or a new one below results/ where out is None, with its environment record written.

        configuration is what was asked for, of values that JSON can hold. A resumed run keeps the record it began
        with; where the CPU or the commit is another one since, that is logged, and "resumed" has it by its time.

        Raises:
            UserError: out holds a finished run, one of another configuration, or something else, or cannot be written.
        """
        folder = out or new_folder()
        configuration = json.loads(json.dumps(configuration))
        there, here = _unfinished(folder, configuration), environment()
        if there is None:
            record = {**here, "finished": None, "configuration": configuration}
        else:
            record = {**there, "resumed": _resumed(folder, there, here)}
        run = cls(folder, configuration, resumed=there is not None)
        run.write_json(RECORD, record)
        return run

    def write_json(self, name: str, content: Any) -> None:
        """Write content as the file name; UserError where the disk is full or the folder cannot be written."""
        text = json.dumps(content, indent=1, allow_nan=False) + "\n"
        write_whole(self.folder / name, lambda path: path.write_text(text, encoding="utf-8"))

    def write_table(self, name: str, table: pd.DataFrame) -> None:
        """Write table as the Parquet file name.parquet; UserError as for write_json."""
        write_whole(self.folder / f"{name}.parquet", lambda path: table.to_parquet(path, index=False))

    def finish(self) -> None:
        """Record the end and the state of subnormals then; drop the cells, which the merged tables now hold."""
        record = json.loads((self.folder / RECORD).read_text(encoding="utf-8"))
        record["denormals"]["after"] = denormals()
        self.write_json(RECORD, {**record, "finished": now()})
        shutil.rmtree(self.folder / CELLS, ignore_errors=True)


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let write fill a temporary file beside path, see it on the disk, then give it its name.

    Raises:
        UserError: the file cannot be written; what was there before still is.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error  # Arrow's own text tells it in other words
        raise UserError(f"cannot write {path}: {reason}") from None
    finally:
        temporary.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def new_folder() -> Path:
    """A folder below results/ that no other run has."""
    return Path("results") / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def _resumed(folder: Path, there: Mapping[str, Any], here: Mapping[str, Any]) -> dict[str, Any]:
    """Time -> what of STABLE was another than before when the run in folder, with the record there, was resumed."""
    resumed: dict[str, Any] = dict(there.get("resumed", {}))
    last = {name: there.get(name) for name in STABLE}
    for changes in resumed.values():
        last |= changes
    if changes := {name: here[name] for name in STABLE if here[name] != last[name]}:
        for name, value in changes.items():
            log.warning("%s was begun with %s %s, and is resumed with %s", folder, name, last[name], value)
        resumed[here["time"]] = changes
    return resumed


def _unfinished(folder: Path, configuration: Mapping[str, Any]) -> dict[str, Any] | None:
    """The record of the unfinished run of configuration that folder holds; None where there is nothing yet."""
    try:
        if all(path.name.startswith(".") for path in folder.iterdir()):
            return None
        record: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        finished, there = record["finished"], dict(record["configuration"])
    except FileNotFoundError:
        if not folder.exists():
            return None
        raise UserError(f"{folder} is not empty and holds no run of gradfade; choose another folder") from None
    except OSError as error:
        raise UserError(f"cannot use {folder}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{folder / RECORD} is truncated or not gradfade's; choose another folder") from None
    if finished:
        raise UserError(f"{folder} holds a run finished at {finished}; choose another folder")
    if there != configuration:
        names = sorted(
            name for name in there.keys() | configuration.keys() if there.get(name) != configuration.get(name)
        )
        raise UserError(
            f"{folder} holds a run of another configuration ("
            + ", ".join(f"{name}: {there.get(name)!r} there, {configuration.get(name)!r} asked" for name in names)
            + "); choose another folder"
        )
    return record
