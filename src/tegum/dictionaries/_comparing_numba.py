# ruff: noqa: ARG001  numba calls these with what it has, wanted or not
"""Vectors compared with a number or with each other (see `tegum._vectors_numba`): which lanes are above a limit, as bits of one word."""

from llvmlite import ir
from numba import types
from numba.core.cgutils import get_or_insert_function
from numba.extending import intrinsic

from tegum._vectors_numba import Vector, _splat


@intrinsic
def lanes_above(typing, vector, limit):
    """One bit a lane: whether its number is above `limit`, a number or one a lane; NaN is not."""

    def generate(context, builder, signature, arguments):
        lanes, (value, limit_) = signature.args[0].lanes, arguments
        limit_ = limit_ if isinstance(signature.args[1], Vector) else _splat(builder, limit_, lanes)
        return builder.zext(builder.bitcast(builder.fcmp_ordered(">", value, limit_), ir.IntType(lanes)), ir.IntType(64))

    return types.uint64(vector, vector if isinstance(limit, Vector) else vector.element), generate


@intrinsic
def lowest_bit(typing, word):
    """The place of the lowest bit of a word that is not 0."""

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generate


@intrinsic
def larger(typing, a, b):
    """The larger of two vectors of floats in each lane; b where one is NaN."""

    def generate(context, builder, signature, arguments):
        return builder.select(builder.fcmp_ordered(">", *arguments), *arguments)

    return a(a, b), generate


@intrinsic
def magnitude(typing, vector):
    """|.| in each lane."""

    def generate(context, builder, signature, arguments):
        value, kind = arguments[0], signature.args[0]
        name = f"llvm.fabs.v{kind.lanes}f{kind.element.bitwidth}"
        return builder.call(get_or_insert_function(builder.module, ir.FunctionType(value.type, [value.type]), name), [value])

    return vector(vector), generate


@intrinsic
def highest_lane(typing, vector):
    """The largest number of a vector, halves against halves."""

    def generate(context, builder, signature, arguments):
        value, lanes = arguments[0], signature.args[0].lanes
        while lanes > 1:
            lanes //= 2
            low, high = (ir.Constant(ir.VectorType(ir.IntType(32), lanes), list(range(s, s + lanes))) for s in (0, lanes))
            low, high = builder.shuffle_vector(value, value, low), builder.shuffle_vector(value, value, high)
            value = builder.select(builder.fcmp_ordered(">", low, high), low, high)
        return builder.extract_element(value, ir.Constant(ir.IntType(32), 0))

    return vector.element(vector), generate
