# ruff: noqa: ARG001  numba calls these with what it has, wanted or not
"""Tuples of vectors: so many rows of a matrix held in registers, and what a Walsh-Hadamard transform does to them.

`ROWS` rows of as many lanes are a square that can be turned over: rows come in as one vector a feature (a lane a sample) and go out as one vector a
sample. Everything is straight-line code: a tuple never exists in memory.
"""

from llvmlite import ir
from numba import types
from numba.core.cgutils import unpack_tuple
from numba.extending import intrinsic

from tegum._vectors_numba import LANES, Vector, _alignment, _llvm, _pointer, _splat

ROWS = LANES
_ORDER = ir.IntType(32)


def _tuple_of(element) -> types.UniTuple:
    return types.UniTuple(Vector(element, ROWS), ROWS)


@intrinsic
def load_rows(typing, array, at, stride):
    """Rows from array[at] on, `stride` numbers apart."""
    kind = _tuple_of(array.dtype)

    def generate(context, builder, signature, arguments):
        array_, at_, stride_ = arguments
        rows = []
        for _ in range(ROWS):
            pointer = _pointer(context, builder, signature.args[0], array_, at_, _llvm(kind.dtype))
            rows.append(builder.load(pointer, align=_alignment(signature.args[0])))
            at_ = builder.add(at_, stride_)
        return context.make_tuple(builder, kind, rows)

    return kind(array, types.intp, types.intp), generate


@intrinsic
def gather_rows(typing, array, which, at, stride):
    """The rows of `array` that which[at], which[at + stride], ... name."""
    kind = _tuple_of(array.dtype)

    def generate(context, builder, signature, arguments):
        array_, which_, at_, stride_ = arguments
        array_type, which_type = signature.args[:2]
        rows, word = [], ir.IntType(64)
        for _ in range(ROWS):
            place = _pointer(context, builder, which_type, which_, at_, ir.IntType(which_type.dtype.bitwidth))
            row = builder.mul(builder.zext(builder.load(place), word), ir.Constant(word, ROWS))
            rows.append(builder.load(_pointer(context, builder, array_type, array_, row, _llvm(kind.dtype)), align=_alignment(array_type)))
            at_ = builder.add(at_, stride_)
        return context.make_tuple(builder, kind, rows)

    return kind(array, which, types.intp, types.intp), generate


@intrinsic
def store_rows(typing, array, at, stride, rows):
    """Write the rows to array[at] on, `stride` numbers apart."""

    def generate(context, builder, signature, arguments):
        array_, at_, stride_, rows_ = arguments
        for row in unpack_tuple(builder, rows_):
            pointer = _pointer(context, builder, signature.args[0], array_, at_, row.type)
            builder.store(row, pointer, align=_alignment(signature.args[0]))
            at_ = builder.add(at_, stride_)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, rows), generate


@intrinsic
def walsh(typing, rows):
    """The Walsh-Hadamard transform over rows: out[i] = sum_j (-1)^(bits that i and j share) in[j], by butterflies."""

    def generate(context, builder, signature, arguments):
        values, half = list(unpack_tuple(builder, arguments[0])), 1
        while half < len(values):
            for i in range(len(values)):
                if not i & half:
                    a, b = values[i], values[i + half]
                    values[i], values[i + half] = builder.fadd(a, b), builder.fsub(a, b)
            half *= 2
        return context.make_tuple(builder, signature.return_type, values)

    return rows(rows), generate


@intrinsic
def turned(typing, rows):
    """The transposed square: lane i of row j becomes lane j of row i."""

    def generate(context, builder, signature, arguments):
        values, bit = list(unpack_tuple(builder, arguments[0])), 1
        while bit < ROWS:
            low = ir.Constant(ir.VectorType(_ORDER, ROWS), [lane if not lane & bit else ROWS + (lane ^ bit) for lane in range(ROWS)])
            high = ir.Constant(ir.VectorType(_ORDER, ROWS), [ROWS + lane if lane & bit else lane | bit for lane in range(ROWS)])
            for i in range(ROWS):
                if not i & bit:
                    a, b = values[i], values[i | bit]
                    values[i], values[i | bit] = builder.shuffle_vector(a, b, low), builder.shuffle_vector(a, b, high)
            bit *= 2
        return context.make_tuple(builder, signature.return_type, values)

    return rows(rows), generate


@intrinsic
def times_each(typing, rows, array, at):
    """Row j times the number array[at + j]."""

    def generate(context, builder, signature, arguments):
        rows_, array_, at_ = arguments
        array_type, kind = signature.args[1], signature.return_type
        element = _llvm(kind.dtype).element
        values = []
        for row in unpack_tuple(builder, rows_):
            number = builder.load(_pointer(context, builder, array_type, array_, at_, element))
            values.append(builder.fmul(row, _splat(builder, number, ROWS)))
            at_ = builder.add(at_, ir.Constant(at_.type, 1))
        return context.make_tuple(builder, kind, values)

    return rows(rows, array, types.intp), generate


@intrinsic
def highest(typing, rows):
    """The largest number of each lane."""

    def generate(context, builder, signature, arguments):
        values = list(unpack_tuple(builder, arguments[0]))
        while len(values) > 1:
            values = [builder.select(builder.fcmp_ordered(">", a, b), a, b) for a, b in zip(values[::2], values[1::2], strict=True)]
        return values[0]

    return rows.dtype(rows), generate


@intrinsic
def lowest(typing, rows):
    """The smallest number of each lane."""

    def generate(context, builder, signature, arguments):
        values = list(unpack_tuple(builder, arguments[0]))
        while len(values) > 1:
            values = [builder.select(builder.fcmp_ordered("<", a, b), a, b) for a, b in zip(values[::2], values[1::2], strict=True)]
        return values[0]

    return rows.dtype(rows), generate


@intrinsic
def odd(typing, word):
    """1 where a word has an odd number of bits set, else 0."""

    def generate(context, builder, signature, arguments):
        return builder.and_(builder.ctpop(arguments[0]), ir.Constant(ir.IntType(64), 1))

    return types.int64(types.int64), generate
