"""A Python file of the user's, read once and run; every mistake is told in one line."""

import hashlib
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any

from kernels.jit import scalar
from suites.errors import UserError

Function = Callable[..., Any]


@dataclass(frozen=True)
class OwnFile:
    """What a file defines, by name, and a digest of its text."""

    path: Path
    names: Mapping[str, Any]
    digest: str

    def function(self, name: str, arguments: str) -> FunctionType:
        """The plain function called name, of at most these arguments, a letter each, and at least the first.

        Raises:
            UserError: there is none, or it takes others.
        """
        wanted = f"write def {name}({', '.join(arguments)})"
        if name not in self.names:
            raise UserError(f"{self.path}: no function {name}; {wanted}")
        found = self.names[name]
        found = getattr(found, "py_func", found)  # what a decorator of Numba's was given
        if not isinstance(found, FunctionType):
            raise UserError(f"{self.path}: {name} is no Python function but {found!r}; {wanted}")
        parameters = inspect.signature(found).parameters.values()
        plain = all(parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD for parameter in parameters)
        if not plain or not 1 <= len(parameters) <= len(arguments):
            raise UserError(f"{self.path}: {name} takes {inspect.signature(found)}; {wanted}")
        return found


def read(path: Path) -> OwnFile:
    """Run the file; its functions can be called by kernels then. What it prints goes to standard error.

    Raises:
        UserError: there is no such file, or running it ends with an error.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    file = str(path.absolute())
    names: dict[str, Any] = {"__name__": path.stem, "__file__": file}
    try:
        with redirect_stdout(sys.stderr):
            exec(compile(text, file, "exec", dont_inherit=True), names)
    except (Exception, SystemExit) as error:
        raise UserError(f"{path}{_where(error, file)}: {described(error)}") from None
    for function in names.values():
        if isinstance(function, FunctionType) and function.__code__.co_filename == file:
            scalar(function)
    return OwnFile(path, names, hashlib.sha256(text).hexdigest()[:16])


def described(error: BaseException) -> str:
    """An exception in one line."""
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {text.strip().partition(chr(10))[0]}"


def _where(error: BaseException, file: str) -> str:
    """The line of file that an exception came from, where it did."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    if isinstance(error, SyntaxError) and error.filename == file:
        lines.append(error.lineno)
    return f", line {lines[-1]}" if lines else ""
