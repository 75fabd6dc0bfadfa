"""Products of matrices that fit in the cache, without the packing that a library does first.

Tiles of ROWS x 2 vectors of the result stay in registers while the inner dimension passes. Packing
pays for matrices much larger than the cache; at 64 x 256 x 256 it takes a fifth of the time.
"""

from typing import Any

from llvmlite import ir

from kernels.intrinsics import address
from kernels.jit import TARGET, intrinsic, overload, scalar, types

ROWS, VECTORS, BYTES = 8, 2, 64  # 16 of the 32 registers of AVX-512 hold the tile
DEPTH = 256  # of the inner dimension at a time: a panel of b then has 32 kB
LARGEST = 1 << 19  # bytes of a matrix; beyond it OpenBLAS is as fast or faster
AVAILABLE = "+avx512f" in TARGET[1]

_INT, _LANE = ir.IntType(64), ir.IntType(32)


@scalar
def covers(m: int, n: int, k: int, transpose_b: bool, size: int) -> bool:
    """Whether tiles can make an (m, n) product over k of numbers of size bytes, and sooner than OpenBLAS."""
    if m < ROWS or k == 0 or n * size % (VECTORS * BYTES) != 0 or (transpose_b and k * size % BYTES != 0):
        return False
    return size * max(m * n, m * k, n * k) <= LARGEST


def multiply(out: Any, a: Any, b: Any, transpose_a: bool, transpose_b: bool, add: bool) -> int:
    """The leading rows of out = op(a) op(b) (or += where add), in whole tiles; returns how many.

    For kernels, and for what covers() says yes to: other sizes would be read beyond their end.
    """
    raise NotImplementedError("only compiled kernels multiply by tiles")


@overload(multiply, strict=False)
def _multiply(out: Any, a: Any, b: Any, transpose_a: Any, transpose_b: Any, add: Any) -> Any:
    size = out.dtype.bitwidth // 8
    lanes = BYTES // size
    columns = VECTORS * lanes

    def run(out, a, b, transpose_a, transpose_b, add):
        m, n = out.shape
        k = b.shape[1] if transpose_b else b.shape[0]
        m -= m % ROWS
        row, step = (size, size * a.shape[1]) if transpose_a else (size * a.shape[1], size)
        panel = _panel(out[0, 0])
        for start in range(0, k, DEPTH):
            depth = min(DEPTH, k - start)
            for j in range(0, n, columns):
                if transpose_b:
                    b_step, b_first = size * columns, panel
                    for c in range(0, columns, lanes):
                        source = address(b) + size * ((j + c) * k + start)
                        for d in range(0, depth, lanes):
                            _transpose(out[0, 0], panel + size * c + b_step * d, b_step, source + size * d, size * k)
                else:
                    b_step, b_first = size * n, address(b) + size * (start * n + j)
                for i in range(0, m, ROWS):
                    target = address(out) + size * (i * n + j)
                    source = address(a) + i * row + start * step
                    _tile(out[0, 0], target, size * n, source, row, step, b_first, b_step, depth, add or start > 0)
        return m

    return run


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


def _fma(builder: Any, kind: Any, *operands: Any) -> Any:
    name = f"llvm.fma.v{kind.count}f{8 * BYTES // kind.count}"
    function = builder.module.globals.get(name)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(kind, [kind] * 3), name)
    return builder.call(function, operands)


def _broadcast(builder: Any, value: Any, kind: Any) -> Any:
    undefined = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(undefined, value, _LANE(0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(_LANE, kind.count), [0] * kind.count))


@intrinsic
def _panel(typing: Any, like: Any) -> Any:
    """Address of room on the stack for a panel of (DEPTH, 2 vectors)."""
    _, vector, _ = _kinds(like)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        with builder.goto_entry_block():
            room = builder.alloca(vector, size=DEPTH * VECTORS)
            room.align = BYTES
        return builder.ptrtoint(room, _INT)

    return types.intp(like), generate


@intrinsic
def _transpose(typing: Any, like: Any, out: Any, out_row: Any, x: Any, x_row: Any) -> Any:
    """out = x', a square of one vector's length at these addresses; strides in bytes."""
    _, vector, size = _kinds(like)
    n = vector.count

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, out, out_row, x, x_row = args
        rows = [_load(builder, x, builder.mul(_INT(i), x_row), vector, size) for i in range(n)]
        masks = [[j // 2 + n * (j % 2) + half for j in range(n)] for half in (0, n // 2)]
        masks = [ir.Constant(ir.VectorType(_LANE, n), mask) for mask in masks]
        for _ in range(n.bit_length() - 1):  # interleaving row i with row i + n / 2, log2(n) times, transposes
            pairs = zip(rows[: n // 2], rows[n // 2 :], strict=True)
            rows = [builder.shuffle_vector(*pair, mask) for pair in pairs for mask in masks]
        for i, row in enumerate(rows):
            _store(builder, row, out, builder.mul(_INT(i), out_row), size)
        return context.get_dummy_value()

    return types.void(like, *[types.intp] * 4), generate


@intrinsic
def _tile(typing, like, out, out_row, a, row, step, b, b_step, k, add):
    """out (ROWS, 2 vectors) = or += sum of a[row * i + step * l] b[b_step * l] over l < k; strides in bytes."""
    scalar, vector, size = _kinds(like)
    columns = [_INT(BYTES * v) for v in range(VECTORS)]

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, out, out_row, a, row, step, b, b_step, k, add = args
        places = [(builder.add(out, builder.mul(_INT(r), out_row)), c) for r in range(ROWS) for c in columns]
        offsets = [builder.mul(_INT(r), row) for r in range(ROWS)]
        before, old = builder.block, builder.append_basic_block("old")
        head, body, after = map(builder.append_basic_block, ("head", "body", "after"))
        builder.cbranch(add, old, head)

        builder.position_at_end(old)
        olds = [_load(builder, *place, vector, size) for place in places]
        builder.branch(head)

        builder.position_at_end(head)
        left, a_now, b_now = (builder.phi(_INT) for _ in range(3))
        sums = [builder.phi(vector) for _ in places]
        zeros = [ir.Constant(vector, [0.0] * vector.count)] * len(sums)
        for block, starts in ((before, zeros), (old, olds)):
            for phi, start in zip((left, a_now, b_now, *sums), (k, a, b, *starts), strict=True):
                phi.add_incoming(start, block)
        builder.cbranch(builder.icmp_signed(">", left, _INT(0)), body, after)

        builder.position_at_end(body)
        bs = [_load(builder, b_now, c, vector, size) for c in columns]
        factors = [_broadcast(builder, _load(builder, a_now, offset, scalar, size), vector) for offset in offsets]
        for i, total in enumerate(sums):
            r, v = divmod(i, VECTORS)
            total.add_incoming(_fma(builder, vector, factors[r], bs[v], total), body)
        left.add_incoming(builder.sub(left, _INT(1)), body)
        a_now.add_incoming(builder.add(a_now, step), body)
        b_now.add_incoming(builder.add(b_now, b_step), body)
        builder.branch(head)

        builder.position_at_end(after)
        for total, place in zip(sums, places, strict=True):
            _store(builder, total, *place, size)
        return context.get_dummy_value()

    return types.void(like, *[types.intp] * 8, types.boolean), generate
