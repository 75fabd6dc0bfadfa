"""What loops over large arrays need of the machine: stores past the caches, and calls by address.

A store into the caches reads its line from memory first; a non-temporal one does not. LLVM makes no vector code of
a loop of single such stores, so a block is computed in a buffer on the stack, which stays in L1, and streamed from
there in whole lines.
"""

from typing import Any

from llvmlite import ir

from kernels.intrinsics import address, store
from kernels.jit import intrinsic, scalar, types

LINE_BYTES = 64
BLOCK_BYTES = 2048


@scalar
def stream(y, buffer):
    """y = buffer, of one size, past the caches where y starts on a cache line."""
    lines = y.size * y.itemsize // LINE_BYTES if address(y) % LINE_BYTES == 0 else 0
    for i in range(lines):
        _stream_line(y, i, buffer)
    for i in range(lines * LINE_BYTES // y.itemsize, y.size):
        store(y, i, buffer[i])


@intrinsic
def stage(typing: Any, y: Any) -> Any:
    """An array of BLOCK_BYTES on the stack, of the type of y."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(y)(context, builder, args[0])
        size = BLOCK_BYTES * 8 // y.dtype.bitwidth
        with builder.goto_entry_block():
            memory = builder.alloca(ir.ArrayType(context.get_value_type(y.dtype), size))
        memory.align = LINE_BYTES
        array.data = builder.bitcast(memory, array.data.type)
        array.meminfo, array.parent = array.meminfo.type(None), array.parent.type(None)
        array.shape = builder.insert_value(array.shape, context.get_value_type(types.intp)(size), 0)
        return array._getvalue()

    return y(y), generate


@intrinsic
def fence(typing: Any) -> Any:
    """Streamed stores are done before any that follow."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def _stream_line(typing: Any, y: Any, i: Any, buffer: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        line = ir.VectorType(context.get_value_type(y.dtype), LINE_BYTES * 8 // y.dtype.bitwidth).as_pointer()
        target, source = (
            builder.gep(builder.bitcast(context.make_array(y)(context, builder, array).data, line), [args[1]])
            for array in (args[0], args[2])
        )
        stored = builder.store(builder.load(source, align=y.dtype.bitwidth // 8), target, align=LINE_BYTES)
        stored.set_metadata("nontemporal", builder.module.add_metadata([ir.IntType(32)(1)]))
        return context.get_dummy_value()

    return types.void(y, types.intp, buffer), generate


@intrinsic
def call(typing: Any, function: Any, arrays: Any, a: Any, part: Any, parts: Any) -> Any:
    """function(*arrays, a, part, parts), a compiled loop by its address."""
    kinds = (*arrays.types, types.float64, types.intp, types.intp)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        convention = context.call_conv
        pointer = convention.get_function_type(types.boolean, kinds).as_pointer()
        values = [builder.extract_value(args[1], i) for i in range(len(arrays.types))]
        loop = builder.inttoptr(args[0], pointer)
        return convention.call_function(builder, loop, types.boolean, kinds, [*values, *args[2:]])[1]

    return types.boolean(types.intp, arrays, types.float64, types.intp, types.intp), generate
