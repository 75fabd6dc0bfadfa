"""Machine code for products: vectors of AVX-512 by address, which loops over array elements cannot express.

A tile is some rows of two vectors of a result that stay in registers while the inner dimension passes. Where a
matrix ends within a vector, masks keep what lies beyond from being read and written. Strides are in bytes.
"""

from typing import Any

from llvmlite import ir

from kernels import vectors
from kernels.jit import intrinsic, types
from kernels.vectors import BYTES, INT, LANE

ROWS, VECTORS = 8, 2  # of the largest tile: 16 of the 32 registers hold it
WIDTH = VECTORS * BYTES  # bytes of a tile's row


@intrinsic
def size_of(typing: Any, like: Any) -> Any:
    """Bytes of a number."""
    return types.intp(like), lambda context, builder, signature, args: INT(like.bitwidth // 8)


@intrinsic
def copy_number(typing: Any, like: Any, out: Any, x: Any) -> Any:
    """The number at x."""
    scalar, _, size = vectors.kinds(like)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, out, x = args
        vectors.store(builder, vectors.load(builder, x, INT(0), scalar, size), out, INT(0), size)
        return context.get_dummy_value()

    return types.void(like, types.intp, types.intp), generate


@intrinsic(prefer_literal=True)
def room(typing: Any, size: Any) -> Any:
    """Address of that many bytes on the stack, a constant."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        with builder.goto_entry_block():
            room = builder.alloca(ir.ArrayType(ir.IntType(8), size.literal_value))
            room.align = BYTES
        return builder.ptrtoint(room, INT)

    return types.intp(size), generate


@intrinsic
def copy_column(typing: Any, like: Any, out: Any, group: Any, x: Any, width: Any) -> Any:
    """One vector at x, its first width numbers and zeros, ROWS of them to each group."""
    _, vector, size = vectors.kinds(like)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, out, group, x, width = args
        (mask,) = vectors.masks(builder, vector, width, 1)
        numbers = vectors.masked_load(builder, x, INT(0), vector, size, mask)
        for i in range(0, vector.count, ROWS):
            part = ir.Constant(ir.VectorType(LANE, ROWS), list(range(i, i + ROWS)))
            some = builder.shuffle_vector(numbers, numbers, part)
            vectors.store(builder, some, out, builder.mul(INT(i // ROWS), group), ROWS * size)
        return context.get_dummy_value()

    return types.void(like, *[types.intp] * 4), generate


@intrinsic
def copy_row(typing: Any, like: Any, out: Any, x: Any, width: Any) -> Any:
    """A panel's row: the first width numbers at x, and zeros."""
    _, vector, size = vectors.kinds(like)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, out, x, width = args
        for v, mask in enumerate(vectors.masks(builder, vector, width, VECTORS)):
            offset = INT(BYTES * v)
            vectors.store(builder, vectors.masked_load(builder, x, offset, vector, size, mask), out, offset, BYTES)
        return context.get_dummy_value()

    return types.void(like, *[types.intp] * 3), generate


@intrinsic
def transpose(typing: Any, like: Any, out: Any, x: Any, x_row: Any, rows: Any, columns: Any) -> Any:
    """A panel's rows, one vector of them, from x' of at most a vector's length squared; zeros beyond its rows."""
    _, vector, size = vectors.kinds(like)
    n = vector.count

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, out, x, x_row, rows_left, columns_left = args
        (present,) = vectors.masks(builder, vector, columns_left, 1)
        none = ir.Constant(present.type, [0] * n)
        rows = []
        for i in range(n):
            mask = builder.select(builder.icmp_signed("<", INT(i), rows_left), present, none)
            rows.append(vectors.masked_load(builder, x, builder.mul(INT(i), x_row), vector, size, mask))
        masks = [[j // 2 + n * (j % 2) + half for j in range(n)] for half in (0, n // 2)]
        masks = [ir.Constant(ir.VectorType(LANE, n), mask) for mask in masks]
        for _ in range(n.bit_length() - 1):  # interleaving row i with row i + n / 2, log2(n) times, transposes
            pairs = zip(rows[: n // 2], rows[n // 2 :], strict=True)
            rows = [builder.shuffle_vector(*pair, mask) for pair in pairs for mask in masks]
        for i, row in enumerate(rows):
            vectors.store(builder, row, out, INT(WIDTH * i), BYTES)
        return context.get_dummy_value()

    return types.void(like, *[types.intp] * 5), generate


def _tile(rows: int) -> Any:
    chains = max(1, ROWS // 2 // rows)  # sums of its own for each of so many steps: 8 are needed to hide latency
    unroll = max(2, chains)

    @intrinsic
    def tile(typing, like, out, out_row, width, a, row, step, b, b_step, ahead, ahead_step, k, add):
        """out (rows, width) = or += sum of a[row * i + step * l] b[b_step * l] over l < k; strides in bytes.

        Meanwhile, a whole tile has the cache line at ahead + ahead_step * l on its way to the cache, for even l.
        """
        scalar, vector, size = vectors.kinds(like)
        columns = [INT(BYTES * v) for v in range(VECTORS)]

        def sum_products(builder: Any, a: Any, row: Any, step: Any, b_steps: Any, k: Any) -> list[Any]:
            """The tile's sums, row by row, in code for those kinds of strides."""
            offsets = [builder.mul(INT(r), row) for r in range(rows)]
            b, b_step, ahead, ahead_step = b_steps

            def advance(values: list[Any], steps: int) -> list[Any]:
                """The loop's variables some steps later; step s adds to the sums of chain s."""
                left, a, b, ahead, *sums = values
                if rows == ROWS and steps > 1:
                    vectors.prefetch(builder, ahead)
                for s in range(steps):
                    bs = [vectors.load(builder, b, c, vector, size) for c in columns]
                    for r, offset in enumerate(offsets):
                        factor = vectors.splat(builder, vectors.load(builder, a, offset, scalar, size), vector)
                        for v in range(VECTORS):
                            i = (s % chains * rows + r) * VECTORS + v
                            sums[i] = vectors.fma(builder, vector, factor, bs[v], sums[i])
                    a, b, ahead = builder.add(a, step), builder.add(b, b_step), builder.add(ahead, ahead_step)
                return [builder.sub(left, INT(steps)), a, b, ahead, *sums]

            def repeat(values: list[Any], steps: int) -> list[Any]:
                """Advance by so many steps as long as there are."""
                before, head, body, after = builder.block, *map(builder.append_basic_block, ("head", "body", "after"))
                builder.branch(head)
                builder.position_at_end(head)
                now = [builder.phi(value.type) for value in values]
                builder.cbranch(builder.icmp_signed(">=", now[0], INT(steps)), body, after)
                builder.position_at_end(body)
                later = advance(now, steps)
                for phi, first, following in zip(now, values, later, strict=True):
                    phi.add_incoming(first, before)
                    phi.add_incoming(following, body)
                builder.branch(head)
                builder.position_at_end(after)
                return now

            zeros = [ir.Constant(vector, [0.0] * vector.count)] * (chains * rows * VECTORS)
            sums = repeat(repeat([k, a, b, ahead, *zeros], unroll), 1)[4:]
            while len(sums) > rows * VECTORS:
                half = len(sums) // 2
                sums = [builder.fadd(*pair) for pair in zip(sums[:half], sums[half:], strict=True)]
            return sums

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            _, out, out_row, width, a, row, step, *b_steps, k, add = args
            masks = vectors.masks(builder, vector, width, VECTORS) * rows
            places = [(builder.add(out, builder.mul(INT(r), out_row)), c) for r in range(rows) for c in columns]
            if rows < ROWS:
                sums = sum_products(builder, a, row, step, b_steps, k)
            else:  # a row or a column of a lies in one piece: constants save the registers that addresses take
                down, across, joined = map(builder.append_basic_block, ("down", "across", "joined"))
                builder.cbranch(builder.icmp_signed("==", row, INT(size)), down, across)
                ways = []
                for block, strides in ((down, (INT(size), step)), (across, (row, INT(size)))):
                    builder.position_at_end(block)
                    ways.append((sum_products(builder, a, *strides, b_steps, k), builder.block))
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
            totals = [
                builder.fadd(vectors.masked_load(builder, *place, vector, size, mask), s) for s, place, mask in pairs
            ]
            builder.branch(stores)
            builder.position_at_end(stores)
            results = [builder.phi(vector) for _ in places]
            for result, total, plain in zip(results, totals, sums, strict=True):
                result.add_incoming(plain, end)
                result.add_incoming(total, adds)
            for result, place, mask in zip(results, places, masks, strict=True):
                vectors.masked_store(builder, result, *place, size, mask)
            return context.get_dummy_value()

        return types.void(like, *[types.intp] * 11, types.boolean), generate

    return tile


tile8, tile4, tile2, tile1 = map(_tile, (ROWS, 4, 2, 1))
