"""An append-only file of JSON lines that survives an interruption: each line is on disk before the next is measured."""

import json
import os
from pathlib import Path
from typing import Any


class Journal:
    """Records in the file at path, one a line; a last line torn by a crash is dropped when the journal is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.exists():
            os.truncate(path, sum(map(len, self._lines())))

    @property
    def records(self) -> list[dict[str, Any]]:
        """What the file holds, in order; read anew, for an interrupt may come between a line's end and append's."""
        return [json.loads(line) for line in self._lines()]

    def append(self, record: dict[str, Any]) -> None:
        """Write one record and wait until the disk has it; ValueError where JSON lacks a number of it."""
        line = json.dumps(record, allow_nan=False).encode() + b"\n"
        with self.path.open("ab") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def _lines(self) -> list[bytes]:
        """The lines that were written to their end."""
        lines = self.path.read_bytes().splitlines(keepends=True) if self.path.exists() else []
        return [line for line in lines if line.endswith(b"\n")]
