"""What the code of one's own functions may not do, found before Numba is asked, which tells it badly or not at all."""

import builtins
import dis
import inspect
from collections.abc import Mapping
from types import FunctionType, ModuleType
from typing import Any

NOT_PLAIN = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


def mistake(function: FunctionType, name: str, callers: tuple[FunctionType, ...] = ()) -> str | None:
    """The first such mistake of a function called name and of those of its file that it calls, in one line; or None."""
    code = function.__code__
    if code.co_flags & NOT_PLAIN:
        return f"{name} is async or yields; it must return a number (line {code.co_firstlineno})"
    known = {**vars(builtins), **function.__globals__, **inspect.getclosurevars(function).nonlocals}
    steps = [*dis.get_instructions(function)]
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        told = _wrong(step, following, known)
        called = known.get(step.argval) if step.opname == "LOAD_GLOBAL" else None
        if isinstance(called, FunctionType) and called.__code__.co_filename == code.co_filename:
            if called in (*callers, function):
                told = "calls itself" if called is function else f"calls {step.argval}, which calls it"
                told += "; compiled code cannot"
            elif deeper := mistake(called, step.argval, (*callers, function)):
                return deeper
        if told:
            return f"{name} {told} (line {step.positions.lineno if step.positions else code.co_firstlineno})"
    return None


def _wrong(step: dis.Instruction, following: dis.Instruction | None, known: Mapping[str, Any]) -> str | None:
    """What is wrong with a step, given the one that follows it and all names that the function knows; or None."""
    if step.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
        return f"changes the global {step.argval}; compiled code cannot"
    if step.opname not in ("LOAD_GLOBAL", "LOAD_DEREF"):
        return None
    if step.argval not in known:
        return f"reads {step.argval}, which the file does not define" if step.opname == "LOAD_GLOBAL" else None
    value = known[step.argval]
    if isinstance(value, list | dict | set):
        return f"reads {step.argval}, a {type(value).__name__}; compiled code can read numbers and tuples"
    if isinstance(value, ModuleType) and following and following.opname in ("LOAD_ATTR", "LOAD_METHOD"):
        missing = not hasattr(value, following.argval)
        return f"reads {step.argval}.{following.argval}, which there is not" if missing else None
    return None
