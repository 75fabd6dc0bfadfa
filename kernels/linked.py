"""Kernels that other kernels call instead of containing them: compiled once, not into each of their callers.

Numba compiles what a kernel calls into it; with products of matrices, every layer would take seconds. Here a caller
finds the address of the other kernel in a cell of memory. It knows the cell by name, so that it can be cached on disk.
Where the cell is still empty, Python compiles the kernel first, as dynamic linkers do.
"""

import _thread
import ctypes
import os
import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Timer, current_thread, main_thread
from typing import Any

from llvmlite import ir

from kernels.jit import declare, intrinsic, symbol, types

SOON = 0.1  # seconds; to return from Python to machine code takes microseconds
_INDEX = ir.IntType(32)
_COMPILE = ir.FunctionType(ir.VoidType(), [_INDEX])
_MATRIX = types.UniTuple(types.intp, 4)  # address, rows, columns, bytes from one row to the next

_cells: list[Any] = []  # what machine code has the addresses of must stay


def linked(dispatcher: Any, arrays: int, numbers: int, *fixed: int) -> Any:
    """function(*arrays, *numbers) for kernels: what dispatcher, a sealed kernel that returns nothing, does with them.

    dispatcher's arguments are a number of the arrays' dtype, float32 or float64; for each of the arrays, which are 1-D
    or 2-D with contiguous rows, (address, rows, columns, bytes from one row to the next); an integer for each of the
    numbers; and the fixed ones.
    """
    kinds = {
        real: (real, *[_MATRIX] * arrays, *[types.intp] * (numbers + len(fixed)))
        for real in (types.float32, types.float64)
    }
    cells = {real: _cell(dispatcher, kinds[real]) for real in kinds}

    @intrinsic
    def call(typing: Any, *given: Any) -> Any:
        real = given[0].dtype

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            convention = context.call_conv
            functions = [of.as_pointer() for of in (convention.get_function_type(types.none, kinds[real]), _COMPILE)]
            kind = ir.LiteralStructType(functions)
            module = builder.module
            cell = module.globals.get(cells[real]) or ir.GlobalVariable(module, kind, cells[real])
            kernel, compile_now = (builder.gep(cell, [_INDEX(0), _INDEX(i)]) for i in range(2))
            before, look, missing, found = builder.block, *map(builder.append_basic_block, ("look", "missing", "found"))
            builder.branch(look)
            builder.position_at_end(look)
            attempts = builder.phi(_INDEX)
            attempts.add_incoming(_INDEX(0), before)
            builder.cbranch(builder.icmp_unsigned("==", builder.load(kernel), functions[0](None)), missing, found)
            builder.position_at_end(missing)
            builder.call(builder.load(compile_now), [attempts])
            attempts.add_incoming(builder.add(attempts, _INDEX(1)), missing)
            builder.branch(look)
            builder.position_at_end(found)
            args = [builder.extract_value(args[0], i) for i in range(len(given))]
            values = [context.get_constant(real, 0)]
            values += [_matrix(context, builder, *x) for x in zip(given[:arrays], args, strict=False)]
            for number, of in zip(args[arrays:], given[arrays:], strict=True):
                values.append(context.cast(builder, number, of, types.intp))
            values += [context.get_constant(types.intp, int(number)) for number in fixed]
            convention.call_function(builder, builder.load(kernel), types.none, kinds[real], values)
            return context.get_dummy_value()

        return types.void(types.StarArgTuple(given)), generate

    return call


def _matrix(context: Any, builder: Any, kind: Any, array: Any) -> Any:
    """What the kernel is told of an array."""
    made = context.make_array(kind)(context, builder, array)
    integer = context.get_value_type(types.intp)
    shape = [builder.extract_value(made.shape, i) for i in range(kind.ndim)]
    row = builder.extract_value(made.strides, 0)
    where = builder.ptrtoint(made.data, integer)
    return context.make_tuple(builder, _MATRIX, [where, *[integer(1)] * (2 - kind.ndim), *shape, row])


@cache
def _cell(dispatcher: Any, kinds: tuple[Any, ...]) -> str:
    """The name of a cell: the address of the kernel for arguments of these types, or none; what compiles it."""
    name = f"gradfade_{dispatcher.py_func.__name__}_{kinds[0]}"
    cell = (ctypes.c_void_p * 2)()

    @ctypes.CFUNCTYPE(None, ctypes.c_int)
    def compile_now(attempts: int) -> None:
        """Machine code waits for the kernel, so an error, which could reach nobody, ends the process.

        An interrupt comes again: one that came as this function was entered is why there is another attempt.
        """
        try:
            if attempts > 0:
                _interrupt_later()
            with _interrupts_later():
                cell[0] = declare(dispatcher, (), 0, *kinds)
        except KeyboardInterrupt:
            _interrupt_later()
        except BaseException:
            traceback.print_exc()
            os._exit(1)

    cell[1] = ctypes.cast(compile_now, ctypes.c_void_p).value
    symbol(name, ctypes.addressof(cell))
    _cells.append((cell, compile_now))
    return name


def _interrupt_later() -> None:
    """Interrupt SOON, when machine code has gone on."""
    Timer(SOON, _thread.interrupt_main).start()


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """An interrupt within, unless it would end the process or be ignored, comes SOON after."""
    if current_thread() is not main_thread() or not callable(signal.getsignal(signal.SIGINT)):
        yield
        return
    came: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if came:
            _interrupt_later()
