"""Machine code for products: vectors of AVX-512 by address, which loops over array elements cannot express.

A tile is some rows of two vectors of a result that stay in registers while the inner dimension passes. Where a
matrix ends within a vector, masks keep what lies beyond from being read and written. Strides are in bytes.
"""

from typing import Any

from llvmlite import ir

from kernels.jit import intrinsic, types

ROWS, VECTORS, BYTES = 8, 2, 64  # of the largest tile: 16 of the 32 registers hold it
WIDTH = VECTORS * BYTES  # bytes of a tile's row

_INT, _LANE = ir.IntType(64), ir.IntType(32)


def _kinds(real: Any) -> tuple[Any, Any, int]:
    """LLVM's scalar and vector type, and the bytes of a number."""
    size = real.bitwidth // 8
    scalar = ir.FloatType() if size == 4 else ir.DoubleType()
    return scalar, ir.VectorType(scalar, BYTES // size), size


def _at(builder: Any, base: Any, offset: Any, kind: Any) -> Any:
    return builder.inttoptr(builder.add(base, offset), kind.as_pointer())


def _load(builder: Any, base: Any, offset: Any, kind: Any, size: int) -> Any:
    value = builder.load(_at(builder, base, offset, kind))
    value.align = size
    return value


def _store(builder: Any, value: Any, base: Any, offset: Any, size: int) -> None:
    builder.store(value, _at(builder, base, offset, value.type)).align = size


def _function(builder: Any, name: str, result: Any, arguments: list[Any]) -> Any:
    known = builder.module.globals.get(name)
    return known or ir.Function(builder.module, ir.FunctionType(result, arguments), name)


def _suffix(kind: Any) -> str:
    return f"v{kind.count}f{8 * BYTES // kind.count}"


def _fma(builder: Any, kind: Any, *operands: Any) -> Any:
    return builder.call(_function(builder, f"llvm.fma.{_suffix(kind)}", kind, [kind] * 3), operands)


def _masks(builder: Any, kind: Any, count: Any, vectors: int) -> list[Any]:
    """For each of the vectors, which of its lanes are among the first count."""
    lanes = ir.VectorType(_LANE, kind.count)
    count = _splat(builder, builder.trunc(count, _LANE), lanes)
    starts = range(0, vectors * kind.count, kind.count)
    return [builder.icmp_signed("<", lanes(list(range(s, s + kind.count))), count) for s in starts]


def _masked_load(builder: Any, base: Any, offset: Any, kind: Any, size: int, mask: Any) -> Any:
    name = f"llvm.masked.load.{_suffix(kind)}.p0{_suffix(kind)}"
    function = _function(builder, name, kind, [kind.as_pointer(), _LANE, mask.type, kind])
    zeros = ir.Constant(kind, [0.0] * kind.count)
    return builder.call(function, [_at(builder, base, offset, kind), _LANE(size), mask, zeros])


def _masked_store(builder: Any, value: Any, base: Any, offset: Any, size: int, mask: Any) -> None:
    kind = value.type
    name = f"llvm.masked.store.{_suffix(kind)}.p0{_suffix(kind)}"
    function = _function(builder, name, ir.VoidType(), [kind, kind.as_pointer(), _LANE, mask.type])
    builder.call(function, [value, _at(builder, base, offset, kind), _LANE(size), mask])


def _splat(builder: Any, value: Any, kind: Any) -> Any:
    undefined = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(undefined, value, _LANE(0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(_LANE, kind.count), [0] * kind.count))


@intrinsic
def size_of(typing: Any, like: Any) -> Any:
    """Bytes of a number."""
    return types.intp(like), lambda context, builder, signature, args: _INT(like.bitwidth // 8)


@intrinsic
def copy_number(typing: Any, like: Any, out: Any, x: Any) -> Any:
    """The number at x."""
    scalar, _, size = _kinds(like)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, out, x = args
        _store(builder, _load(builder, x, _INT(0), scalar, size), out, _INT(0), size)
        return context.get_dummy_value()

    return types.void(like, types.intp, types.intp), generate


@intrinsic(prefer_literal=True)
def room(typing: Any, size: Any) -> Any:
    """Address of that many bytes on the stack, a constant."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        with builder.goto_entry_block():
            room = builder.alloca(ir.ArrayType(ir.IntType(8), size.literal_value))
            room.align = BYTES
        return builder.ptrtoint(room, _INT)

    return types.intp(size), generate


@intrinsic
def copy_column(typing: Any, like: Any, out: Any, group: Any, x: Any, width: Any) -> Any:
    """One vector at x, its first width numbers and zeros, ROWS of them to each group."""
    _, vector, size = _kinds(like)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, out, group, x, width = args
        (mask,) = _masks(builder, vector, width, 1)
        numbers = _masked_load(builder, x, _INT(0), vector, size, mask)
        for i in range(0, vector.count, ROWS):
            part = ir.Constant(ir.VectorType(_LANE, ROWS), list(range(i, i + ROWS)))
            some = builder.shuffle_vector(numbers, numbers, part)
            _store(builder, some, out, builder.mul(_INT(i // ROWS), group), ROWS * size)
        return context.get_dummy_value()

    return types.void(like, *[types.intp] * 4), generate


@intrinsic
def copy_row(typing: Any, like: Any, out: Any, x: Any, width: Any) -> Any:
    """A panel's row: the first width numbers at x, and zeros."""
    _, vector, size = _kinds(like)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, out, x, width = args
        for v, mask in enumerate(_masks(builder, vector, width, VECTORS)):
            offset = _INT(BYTES * v)
            _store(builder, _masked_load(builder, x, offset, vector, size, mask), out, offset, BYTES)
        return context.get_dummy_value()

    return types.void(like, *[types.intp] * 3), generate


@intrinsic
def transpose(typing: Any, like: Any, out: Any, x: Any, x_row: Any, rows: Any, columns: Any) -> Any:
    """A panel's rows, one vector of them, from x' of at most a vector's length squared; zeros beyond its rows."""
    _, vector, size = _kinds(like)
    n = vector.count

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, out, x, x_row, rows_left, columns_left = args
        (present,) = _masks(builder, vector, columns_left, 1)
        none = ir.Constant(present.type, [0] * n)
        rows = []
        for i in range(n):
            mask = builder.select(builder.icmp_signed("<", _INT(i), rows_left), present, none)
            rows.append(_masked_load(builder, x, builder.mul(_INT(i), x_row), vector, size, mask))
        masks = [[j // 2 + n * (j % 2) + half for j in range(n)] for half in (0, n // 2)]
        masks = [ir.Constant(ir.VectorType(_LANE, n), mask) for mask in masks]
        for _ in range(n.bit_length() - 1):  # interleaving row i with row i + n / 2, log2(n) times, transposes
            pairs = zip(rows[: n // 2], rows[n // 2 :], strict=True)
            rows = [builder.shuffle_vector(*pair, mask) for pair in pairs for mask in masks]
        for i, row in enumerate(rows):
            _store(builder, row, out, _INT(WIDTH * i), BYTES)
        return context.get_dummy_value()

    return types.void(like, *[types.intp] * 5), generate


def _tile(rows: int) -> Any:
    chains = max(1, ROWS // 2 // rows)  # sums of its own for each of so many steps: 8 are needed to hide latency
    unroll = max(2, chains)

    @intrinsic
    def tile(typing, like, out, out_row, width, a, row, step, b, b_step, k, add):
        """out (rows, width) = or += sum of a[row * i + step * l] b[b_step * l] over l < k; strides in bytes."""
        scalar, vector, size = _kinds(like)
        columns = [_INT(BYTES * v) for v in range(VECTORS)]

        def sum_products(builder: Any, a: Any, row: Any, step: Any, b: Any, b_step: Any, k: Any) -> list[Any]:
            """The tile's sums, row by row, in code for those kinds of strides."""
            offsets = [builder.mul(_INT(r), row) for r in range(rows)]

            def advance(values: list[Any], steps: int) -> list[Any]:
                """The loop's variables some steps later; step s adds to the sums of chain s."""
                left, a, b, *sums = values
                for s in range(steps):
                    bs = [_load(builder, b, c, vector, size) for c in columns]
                    for r, offset in enumerate(offsets):
                        factor = _splat(builder, _load(builder, a, offset, scalar, size), vector)
                        for v in range(VECTORS):
                            i = (s % chains * rows + r) * VECTORS + v
                            sums[i] = _fma(builder, vector, factor, bs[v], sums[i])
                    a, b = builder.add(a, step), builder.add(b, b_step)
                return [builder.sub(left, _INT(steps)), a, b, *sums]

            def repeat(values: list[Any], steps: int) -> list[Any]:
                """Advance by so many steps as long as there are."""
                before, head, body, after = builder.block, *map(builder.append_basic_block, ("head", "body", "after"))
                builder.branch(head)
                builder.position_at_end(head)
                now = [builder.phi(value.type) for value in values]
                builder.cbranch(builder.icmp_signed(">=", now[0], _INT(steps)), body, after)
                builder.position_at_end(body)
                later = advance(now, steps)
                for phi, first, following in zip(now, values, later, strict=True):
                    phi.add_incoming(first, before)
                    phi.add_incoming(following, body)
                builder.branch(head)
                builder.position_at_end(after)
                return now

            zeros = [ir.Constant(vector, [0.0] * vector.count)] * (chains * rows * VECTORS)
            sums = repeat(repeat([k, a, b, *zeros], unroll), 1)[3:]
            while len(sums) > rows * VECTORS:
                half = len(sums) // 2
                sums = [builder.fadd(*pair) for pair in zip(sums[:half], sums[half:], strict=True)]
            return sums

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            _, out, out_row, width, a, row, step, b, b_step, k, add = args
            masks = _masks(builder, vector, width, VECTORS) * rows
            places = [(builder.add(out, builder.mul(_INT(r), out_row)), c) for r in range(rows) for c in columns]
            if rows < ROWS:
                sums = sum_products(builder, a, row, step, b, b_step, k)
            else:  # a row or a column of a lies in one piece: constants save the registers that addresses take
                down, across, joined = map(builder.append_basic_block, ("down", "across", "joined"))
                builder.cbranch(builder.icmp_signed("==", row, _INT(size)), down, across)
                ways = []
                for block, strides in ((down, (_INT(size), step)), (across, (row, _INT(size)))):
                    builder.position_at_end(block)
                    ways.append((sum_products(builder, a, *strides, b, b_step, k), builder.block))
                    builder.branch(joined)
                builder.position_at_end(joined)
                sums = [builder.phi(vector) for _ in places]
                for values, block in ways:
                    for phi, value in zip(sums, values, strict=True):
                        phi.add_incoming(value, block)
            adds, stores, end = *map(builder.append_basic_block, ("adds", "stores")), builder.block
            builder.cbranch(add, adds, stores)
            builder.position_at_end(adds)
            pairs = zip(sums, places, masks, strict=True)
            totals = [builder.fadd(_masked_load(builder, *place, vector, size, mask), s) for s, place, mask in pairs]
            builder.branch(stores)
            builder.position_at_end(stores)
            results = [builder.phi(vector) for _ in places]
            for result, total, plain in zip(results, totals, sums, strict=True):
                result.add_incoming(plain, end)
                result.add_incoming(total, adds)
            for result, place, mask in zip(results, places, masks, strict=True):
                _masked_store(builder, result, *place, size, mask)
            return context.get_dummy_value()

        return types.void(like, *[types.intp] * 9, types.boolean), generate

    return tile


tile8, tile4, tile2, tile1 = map(_tile, (ROWS, 4, 2, 1))
