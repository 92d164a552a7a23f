"""Vectors of numbers as numba values: what the compiled kernels are written in where one loop must fill the widest registers there are.

`Vector(element, lanes)` is a numba type whose values live in registers; + - * and the functions below work on it, lane by lane, with IEEE rounding
(nothing is reassociated; only `fma` fuses). A vector wider than the machine's registers becomes several of them, which also hides their latency.
"""

import operator

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core.cgutils import get_or_insert_function
from numba.core.datamodel import models
from numba.core.typing import signature as typing_signature
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import intrinsic, lower_builtin, register_model

LANES = 16 if binding.get_host_cpu_features().get("avx512f") else 8  # float32 numbers in the widest register
_ELEMENTS = {
    types.float32: ir.FloatType(),
    types.float64: ir.DoubleType(),
    types.int8: ir.IntType(8),
    types.int32: ir.IntType(32),
    types.int64: ir.IntType(64),
    types.uint32: ir.IntType(32),
    types.uint64: ir.IntType(64),
    types.boolean: ir.IntType(1),
}


def aligned(size: int, dtype: type = np.float32) -> np.ndarray:
    """A zeroed array that begins where a cache line does: a vector that straddles two of them takes two reads."""
    whole = np.zeros(size * np.dtype(dtype).itemsize + 64, np.uint8)
    start = -whole.ctypes.data % 64
    return whole[start : start + size * np.dtype(dtype).itemsize].view(dtype)


class Vector(types.Type):
    """`lanes` numbers of one numba type."""

    def __init__(self, element: types.Type, lanes: int) -> None:
        self.element, self.lanes = element, lanes
        super().__init__(name=f"Vector({element}, {lanes})")

    @property
    def floating(self) -> bool:
        """Whether the lanes hold floating-point numbers."""
        return isinstance(self.element, types.Float)

    def of(self, element: types.Type) -> "Vector":
        """The type of as many lanes of other numbers."""
        return Vector(element, self.lanes)


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, kind: Vector) -> None:
        super().__init__(manager, kind, ir.VectorType(_ELEMENTS[kind.element], kind.lanes))


def _llvm(kind: Vector) -> ir.VectorType:
    return ir.VectorType(_ELEMENTS[kind.element], kind.lanes)


def _splat(builder: ir.IRBuilder, value: ir.Value, lanes: int) -> ir.Value:
    one = builder.insert_element(ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes))


def _pointer(context, builder, array_type, array, index, llvm_type):
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), llvm_type.as_pointer())


def _alignment(array_type: types.Array) -> int:
    return array_type.dtype.bitwidth // 8


def loader(lanes: int):
    """The function that reads `lanes` neighbours from `index` on of a contiguous one-dimensional array."""

    @intrinsic
    def load(typing, array, index):
        kind = Vector(array.dtype, lanes)

        def generate(context, builder, signature, arguments):
            pointer = _pointer(context, builder, signature.args[0], *arguments, _llvm(kind))
            return builder.load(pointer, align=_alignment(signature.args[0]))

        return kind(array, types.intp), generate

    return load


def filler(lanes: int):
    """The function that makes a vector of `lanes` times one number."""

    @intrinsic
    def fill(typing, value):
        def generate(context, builder, signature, arguments):
            return _splat(builder, arguments[0], lanes)

        return Vector(value, lanes)(value), generate

    return fill


def counter(lanes: int, element: types.Type = types.uint64):
    """The function that gives 0, 1, 2, ..."""

    @intrinsic
    def counted(typing):
        kind = Vector(element, lanes)

        def generate(context, builder, signature, arguments):
            return ir.Constant(_llvm(kind), list(range(lanes)))

        return kind(), generate

    return counted


def spreader(lanes: int):
    """The function that reads one number of a contiguous one-dimensional array into every lane; `index` is trusted, and not negative."""

    @intrinsic
    def spread(typing, array, index):
        def generate(context, builder, signature, arguments):
            pointer = _pointer(context, builder, signature.args[0], *arguments, _ELEMENTS[signature.args[0].dtype])
            return _splat(builder, builder.load(pointer), lanes)

        return Vector(array.dtype, lanes)(array, types.intp), generate

    return spread


@intrinsic
def store(typing, array, index, vector):
    """Write a vector to a contiguous one-dimensional array, from `index` on; its numbers are cut or rounded to the array's."""

    def generate(context, builder, signature, arguments):
        array_type, _, kind = signature.args
        element = _ELEMENTS[array_type.dtype]
        value = arguments[2]
        if array_type.dtype.bitwidth < kind.element.bitwidth:
            narrow = ir.VectorType(element, kind.lanes)
            value = builder.fptrunc(value, narrow) if kind.floating else builder.trunc(value, narrow)
        pointer = _pointer(context, builder, array_type, arguments[0], arguments[1], value.type)
        builder.store(value, pointer, align=_alignment(array_type))
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


@intrinsic
def put(typing, array, index, value):
    """Write one number to a contiguous one-dimensional array of its own type; `index` is trusted, and not negative."""

    def generate(context, builder, signature, arguments):
        pointer = _pointer(context, builder, signature.args[0], arguments[0], arguments[1], _ELEMENTS[signature.args[0].dtype])
        builder.store(arguments[2], pointer)
        return context.get_dummy_value()

    return types.void(array, types.intp, array.dtype), generate


@intrinsic
def fma(typing, a, b, c):
    """a * b + c, rounded once."""

    def generate(context, builder, signature, arguments):
        kind = _llvm(signature.return_type)
        name = f"llvm.fma.v{signature.return_type.lanes}f{signature.return_type.element.bitwidth}"
        return builder.call(get_or_insert_function(builder.module, ir.FunctionType(kind, [kind] * 3), name), arguments)

    return a(a, b, c), generate


@intrinsic
def fma_folded(typing, a, b, c):
    """a * b + c, where c has a fraction of the lanes: one part of a and b after the other is added to it."""

    def generate(context, builder, signature, arguments):
        a, b, out = arguments
        kind, lanes = _llvm(signature.return_type), signature.return_type.lanes
        name = f"llvm.fma.v{lanes}f{signature.return_type.element.bitwidth}"
        function = get_or_insert_function(builder.module, ir.FunctionType(kind, [kind] * 3), name)
        for start in range(0, signature.args[0].lanes, lanes):
            part = ir.Constant(ir.VectorType(ir.IntType(32), lanes), list(range(start, start + lanes)))
            out = builder.call(function, [builder.shuffle_vector(a, a, part), builder.shuffle_vector(b, b, part), out])
        return out

    return c(a, b, c), generate


@intrinsic
def where_positive(typing, test, vector):
    """`vector` in the lanes where `test` is above 0, or no number, else 0: a training that diverges must show."""

    def generate(context, builder, signature, arguments):
        zero = ir.Constant(arguments[0].type, None)
        return builder.select(builder.fcmp_unordered(">", arguments[0], zero), arguments[1], ir.Constant(arguments[1].type, None))

    return vector(test, vector), generate


@intrinsic
def total(typing, vector):
    """The sum of the lanes, halves added to halves."""

    def generate(context, builder, signature, arguments):
        value, lanes = arguments[0], signature.args[0].lanes
        while lanes > 1:
            lanes //= 2
            low, high = (ir.Constant(ir.VectorType(ir.IntType(32), lanes), list(range(s, s + lanes))) for s in (0, lanes))
            value = builder.fadd(builder.shuffle_vector(value, value, low), builder.shuffle_vector(value, value, high))
        return builder.extract_element(value, ir.Constant(ir.IntType(32), 0))

    return vector.element(vector), generate


def _named(builder: ir.IRBuilder, name: str, kind: Vector) -> ir.Function:
    """LLVM's function of that name, of one vector of floats to another."""
    of = _llvm(kind)
    return get_or_insert_function(builder.module, ir.FunctionType(of, [of]), f"{name}.v{kind.lanes}f{kind.element.bitwidth}")


def _lanewise(make, returns=lambda kind: kind):
    """An intrinsic of one vector: `make(builder, value, its numba type)`."""

    @intrinsic
    def function(typing, vector):
        def generate(context, builder, signature, arguments):
            return make(builder, arguments[0], signature.args[0])

        return returns(vector)(vector), generate

    return function


as_bits = _lanewise(lambda b, v, k: b.bitcast(v, _llvm(k.of(types.int64))), lambda k: k.of(types.int64))
from_bits = _lanewise(lambda b, v, k: b.bitcast(v, _llvm(k.of(types.float64))), lambda k: k.of(types.float64))
to_float = _lanewise(
    lambda b, v, k: (b.sitofp if k.element.signed else b.uitofp)(v, _llvm(k.of(types.float64))), lambda k: k.of(types.float64)
)
to_single = _lanewise(lambda b, v, k: b.sitofp(v, _llvm(k.of(types.float32))), lambda k: k.of(types.float32))
root = _lanewise(lambda b, v, k: b.call(_named(b, "llvm.sqrt", k), [v]))
nearest = _lanewise(lambda b, v, k: b.call(_named(b, "llvm.rint", k), [v]))
to_bytes = _lanewise(lambda b, v, k: b.fptosi(v, _llvm(k.of(types.int8))), lambda k: k.of(types.int8))
to_whole = _lanewise(lambda b, v, k: b.fptosi(v, _llvm(k.of(types.int64))), lambda k: k.of(types.int64))


@intrinsic
def in_turn(typing, even, odd):
    """The lower halves of two vectors of uint64, in turn: even[0], odd[0], even[1], ..."""
    kind = Vector(types.uint32, 2 * even.lanes)

    def generate(context, builder, signature, arguments):
        half, low = (_splat(builder, ir.Constant(ir.IntType(64), number), even.lanes) for number in (32, 0xFFFFFFFF))
        even_, odd_ = arguments
        return builder.bitcast(builder.or_(builder.and_(even_, low), builder.shl(odd_, half)), _llvm(kind))

    return kind(even, odd), generate


@intrinsic
def running_total(typing, vector):
    """The sum of each lane of whole numbers and of all before it."""

    def generate(context, builder, signature, arguments):
        value, lanes, shift = arguments[0], signature.args[0].lanes, 1
        while shift < lanes:
            moved = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [lanes + i - shift if i >= shift else 0 for i in range(lanes)])
            value = builder.add(value, builder.shuffle_vector(ir.Constant(value.type, None), value, moved))
            shift *= 2
        return value

    return vector(vector), generate


@intrinsic
def last_lane(typing, vector):
    """The number in the last lane."""

    def generate(context, builder, signature, arguments):
        return builder.extract_element(arguments[0], ir.Constant(ir.IntType(32), signature.args[0].lanes - 1))

    return vector.element(vector), generate


@intrinsic
def slid(typing, before, vector):
    """All lanes one further, with the last of `before` in front."""

    def generate(context, builder, signature, arguments):
        lanes = signature.args[0].lanes
        return builder.shuffle_vector(*arguments, ir.Constant(ir.VectorType(ir.IntType(32), lanes), list(range(lanes - 1, 2 * lanes - 1))))

    return vector(before, vector), generate


@intrinsic
def unlike(typing, a, b):
    """1 in the lanes where two vectors of whole numbers differ, else 0."""

    def generate(context, builder, signature, arguments):
        return builder.zext(builder.icmp_unsigned("!=", *arguments), arguments[0].type)

    return a(a, b), generate


@intrinsic
def store_some(typing, array, index, vector, flags):
    """Write the lanes whose flag is not 0, one after the other, to an array of their own type, from `index` on."""

    def generate(context, builder, signature, arguments):
        array_type, kind = signature.args[0], signature.args[2]
        array_, index_, value, flags_ = arguments
        mask = builder.icmp_unsigned("!=", flags_, ir.Constant(flags_.type, None))
        pointer = _pointer(context, builder, array_type, array_, index_, _ELEMENTS[kind.element])
        name = f"llvm.masked.compressstore.v{kind.lanes}i{kind.element.bitwidth}"
        function = get_or_insert_function(builder.module, ir.FunctionType(ir.VoidType(), [value.type, pointer.type, mask.type]), name)
        builder.call(function, [value, pointer, mask])
        return context.get_dummy_value()

    return types.void(array, types.intp, vector, flags), generate


@intrinsic
def how_many_below(typing, vector, limit):
    """In how many lanes of whole numbers there is less than `limit`."""

    def generate(context, builder, signature, arguments):
        lanes = signature.args[0].lanes
        mask = builder.icmp_signed("<", arguments[0], _splat(builder, arguments[1], lanes))
        return builder.zext(builder.ctpop(builder.bitcast(mask, ir.IntType(lanes))), ir.IntType(64))

    return types.int64(vector, vector.element), generate


@intrinsic
def at_most(typing, vector, limit):
    """The lanes of a vector of floats, or `limit` where they are above it."""

    def generate(context, builder, signature, arguments):
        value, limit = arguments[0], _splat(builder, arguments[1], signature.args[0].lanes)
        return builder.select(builder.fcmp_ordered("<", value, limit), value, limit)

    return vector(vector, vector.element), generate


def _operator(symbol, on_floats: str | None, on_words: str | None) -> None:
    """Teach numba one operator, between two vectors or a vector and a number: a typing rule and a lowering, for `overload` compiles one a use."""

    class Typing(AbstractTemplate):
        key = symbol

        def generic(self, args, kws):  # noqa: ARG002
            kind = next((side for side in args if isinstance(side, Vector)), None)
            return kind and (on_floats if kind.floating else on_words) and typing_signature(kind, *args)

    infer_global(symbol)(Typing)

    def generate(context, builder, signature, arguments):
        kind = signature.return_type
        sides = [
            value if isinstance(side, Vector) else _splat(builder, context.cast(builder, value, side, kind.element), kind.lanes)
            for value, side in zip(arguments, signature.args, strict=True)
        ]
        name = on_floats if kind.floating else on_words
        return getattr(builder, "ashr" if name == "lshr" and kind.element.signed else name)(*sides)

    for sides in ((Vector, Vector), (Vector, types.Number), (types.Number, Vector)):
        lower_builtin(symbol, *sides)(generate)


_operator(operator.add, "fadd", "add")
_operator(operator.sub, "fsub", "sub")
_operator(operator.mul, "fmul", "mul")
_operator(operator.truediv, "fdiv", None)
_operator(operator.and_, None, "and_")
_operator(operator.or_, None, "or_")
_operator(operator.xor, None, "xor")
_operator(operator.rshift, None, "lshr")
_operator(operator.lshift, None, "shl")
