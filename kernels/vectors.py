"""What vectors of AVX-512 by address are made of, in LLVM's builder: loads, stores, masks, fused products.

base and offset are integers, in bytes.
"""

from typing import Any

from llvmlite import ir

BYTES = 64  # of a vector
INT, LANE = ir.IntType(64), ir.IntType(32)


def kinds(real: Any) -> tuple[Any, Any, int]:
    """LLVM's scalar and vector type, and the bytes of a number."""
    size = real.bitwidth // 8
    scalar = ir.FloatType() if size == 4 else ir.DoubleType()
    return scalar, ir.VectorType(scalar, BYTES // size), size


def at(builder: Any, base: Any, offset: Any, kind: Any) -> Any:
    """offset bytes after base, as the address of a kind."""
    return builder.inttoptr(builder.add(base, offset), kind.as_pointer())


def load(builder: Any, base: Any, offset: Any, kind: Any, size: int) -> Any:
    """What is offset bytes after base, aligned as a number of that size."""
    value = builder.load(at(builder, base, offset, kind))
    value.align = size
    return value


def store(builder: Any, value: Any, base: Any, offset: Any, size: int) -> None:
    """Store a value offset bytes after base, aligned as a number of that size."""
    builder.store(value, at(builder, base, offset, value.type)).align = size


def prefetch(builder: Any, base: Any) -> None:
    """Have the cache line at base on its way to the second cache; any address will do."""
    byte = ir.IntType(8)
    arguments = [byte.as_pointer(), LANE, LANE, LANE]
    function = _function(builder, "llvm.prefetch.p0i8", ir.VoidType(), arguments)
    builder.call(function, [builder.inttoptr(base, byte.as_pointer()), LANE(0), LANE(2), LANE(1)])


def _function(builder: Any, name: str, result: Any, arguments: list[Any]) -> Any:
    known = builder.module.globals.get(name)
    return known or ir.Function(builder.module, ir.FunctionType(result, arguments), name)


def _suffix(kind: Any) -> str:
    return f"v{kind.count}f{8 * BYTES // kind.count}"


def fma(builder: Any, kind: Any, *operands: Any) -> Any:
    """The rounded-once product and sum of three vectors."""
    return builder.call(_function(builder, f"llvm.fma.{_suffix(kind)}", kind, [kind] * 3), operands)


def masks(builder: Any, kind: Any, count: Any, vectors: int) -> list[Any]:
    """For each of the vectors, which of its lanes are among the first count."""
    lanes = ir.VectorType(LANE, kind.count)
    count = splat(builder, builder.trunc(count, LANE), lanes)
    starts = range(0, vectors * kind.count, kind.count)
    return [builder.icmp_signed("<", lanes(list(range(s, s + kind.count))), count) for s in starts]


def masked_load(builder: Any, base: Any, offset: Any, kind: Any, size: int, mask: Any) -> Any:
    """load, but for zeros in the lanes that the mask leaves out."""
    name = f"llvm.masked.load.{_suffix(kind)}.p0{_suffix(kind)}"
    function = _function(builder, name, kind, [kind.as_pointer(), LANE, mask.type, kind])
    zeros = ir.Constant(kind, [0.0] * kind.count)
    return builder.call(function, [at(builder, base, offset, kind), LANE(size), mask, zeros])


def masked_store(builder: Any, value: Any, base: Any, offset: Any, size: int, mask: Any) -> None:
    """store, but for the lanes that the mask leaves out."""
    kind = value.type
    name = f"llvm.masked.store.{_suffix(kind)}.p0{_suffix(kind)}"
    function = _function(builder, name, ir.VoidType(), [kind, kind.as_pointer(), LANE, mask.type])
    builder.call(function, [value, at(builder, base, offset, kind), LANE(size), mask])


def splat(builder: Any, value: Any, kind: Any) -> Any:
    """A vector of one value."""
    undefined = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(undefined, value, LANE(0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(LANE, kind.count), [0] * kind.count))
