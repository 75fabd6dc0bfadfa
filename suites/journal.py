"""The file of finished benchmarks: lines of JSON, each on disk before the next benchmark is measured."""

import json
import os
from pathlib import Path
from typing import Any

from suites.errors import UserError

FIELDS = {"fullname", "group", "extra_info", "stats"}  # those of pytest-benchmark that gradfade reads


def read(path: Path) -> list[dict[str, Any]]:
    """The benchmarks that the journal at path holds, in order; a last line torn by a crash is none.

    Raises:
        UserError: a line is no benchmark; the message names file and line.
    """
    return [_benchmark(line, f"{path}, line {i}") for i, line in enumerate(_whole(path).split(b"\n")[:-1], start=1)]


class Journal:
    """The journal at path, to be added to: what is torn at its end is dropped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.exists():
            os.truncate(path, len(_whole(path)))

    @property
    def records(self) -> list[dict[str, Any]]:
        """What the file holds; read anew, for an interrupt may come between a line's end and append's."""
        return read(self.path)

    def append(self, record: dict[str, Any]) -> None:
        """Write one record and wait until the disk has it; ValueError where JSON lacks a number of it."""
        line = json.dumps(record, allow_nan=False).encode() + b"\n"
        with self.path.open("ab") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())


def _whole(path: Path) -> bytes:
    """Everything up to the end of the last line that was written to its end."""
    content = path.read_bytes() if path.exists() else b""
    return content[: content.rfind(b"\n") + 1]


def _benchmark(line: bytes, where: str) -> dict[str, Any]:
    try:
        benchmark = json.loads(line)
    except ValueError:
        raise UserError(f"{where}: damaged") from None
    if not isinstance(benchmark, dict) or FIELDS - benchmark.keys():
        raise UserError(f"{where}: not a benchmark, which has {', '.join(sorted(FIELDS))}")
    return benchmark
