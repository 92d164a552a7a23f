"""Screen: inner products in eight bits find which directions can matter, and only these are multiplied out.

A decoder wants a few of the N inner products <D_j, x>: the largest, or what is above a limit. With both sides rounded to eight bits, D_j = t_j p_j
+ e_j and x = s q + f, integer products p_j . q take a quarter of the time of float32 ones where the processor multiplies bytes (AVX-512 VNNI), and

    |<D_j, x> - s t_j (p_j . q)|  <=  |D_j| |f| + |e_j| |s q|

(Cauchy and Schwarz). For directions and samples without outliers the right side is .012 |D_j| |x|: .15 standard deviations of the inner product
in 150 dims. What it leaves in question is multiplied out in the table's own dtype, so the answer is that of the full product, whatever the rounding.
Where too much is left in question (limits that nearly everything passes, samples of zeros or of a single outlier) a row is refused, and the
caller makes the full product of that row.
"""

import functools
import threading
from types import ModuleType
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from tegum._compiled import kernels
from tegum._threads import shared_out
from tegum.shapes import Bool, Float, Int

_kernels = functools.partial(kernels, "tegum.dictionaries._screen_numba")

_PRODUCTS = 1 << 20  # integer products held at a time
_LEAST_BLOCK = 1024  # features multiplied at a time, at least
_WORTH = 1 << 23  # multiplications of a whole product below which rounding and listing cost more than they save
_WORTH_THREADS = 1 << 22  # products
_LEAST_DIMS, _MOST_DIMS = 16, 1 << 16  # a vector's; and 127^2 d stays below 2^31
_SMALLEST = 1e-15  # scales between this and its inverse: float32 holds the square of either
_ROOM = 512  # candidates a sample
_TRIED = 1 << 10  # samples that are tried whatever becomes of them
_CROWD = 24  # features at least for one that is above a limit
_FEW = 32  # features at least for one that is wanted: with fewer, most of them would be in question


class Screen:
    """The rows of a float table on the CPU, also in eight bits; `Screen.of` says None where there is nothing to gain."""

    def __init__(self, table: Float[Tensor, "features dims"]) -> None:
        self.table = table.detach().contiguous()
        self.n, self.d = table.shape
        self.padded = -(-self.d // 16) * 16
        p, t, size, wrong = self._rounded(self.table)
        beyond = -self.n % self.compiled.WIDE  # blocks are whole vectors; what is no number (t there) is not above anything
        self.p = torch.from_numpy(np.pad(p, ((0, beyond), (0, 0))))
        self.t, self.size = np.pad(t, (0, beyond), constant_values=np.nan), np.pad(np.maximum(size, _SMALLEST), (0, beyond))
        # of all directions, the largest |e_j| / |D_j|: then one number a sample times |D_j| bounds the error
        self.typical = float(np.sqrt(np.mean(size.astype(np.float64) ** 2) / self.d))  # standard deviation of <D_j, x> at |x| = 1
        self._asked = self._in_vain = 0  # rows, and those that were refused
        self.share = float((wrong / np.maximum(size, _SMALLEST)).max())

    @classmethod
    def of(cls, table: Float[Tensor, "features dims"]) -> "Screen | None":
        """For tables of float32 or float64, large ones, on a processor that multiplies bytes; None elsewhere."""
        if table.device.type != "cpu" or table.dtype not in (torch.float32, torch.float64) or len(table) < _LEAST_BLOCK:
            return None
        if not _LEAST_DIMS <= table.shape[1] < _MOST_DIMS or not multiplies_bytes() or _kernels() is None:
            return None
        screen = cls(table)
        return screen if screen.size.max() < 1 / _SMALLEST and screen.share < 1 else None  # NaN and infinity are neither

    @property
    def compiled(self) -> ModuleType:
        """The kernels."""
        kernels = _kernels()
        assert kernels is not None  # `of` has looked
        return kernels

    def helps(self) -> bool:
        """Whether a search is quicker by it: not where it has mostly been in vain."""
        return 2 * self._in_vain <= self._asked + _TRIED

    def crowded(self, x: Float[Tensor, "batch dims"], limits: Float[Tensor, " batch"], offset: Float[Tensor, " features"]) -> bool:
        """Whether so many are to be expected `above` that the full product is quicker: by the normal law, for products with no order in them."""
        noise = x.norm(dim=1) * self.typical
        over = (limits + offset.mean()) / noise - 2 * self.share * self.d**0.5
        return float(torch.special.ndtr(-over).nanmean()) * _CROWD > 1

    def largest(
        self, x: Float[Tensor, "batch dims"], k: int, *, signed: bool
    ) -> tuple[Float[Tensor, "batch k"], Int[Tensor, "batch k"], Bool[Tensor, " batch"]]:
        """The k largest inner products of each x, largest first (in magnitude if `signed`), their features, and which rows were refused."""
        rows, compiled = len(x), self.compiled
        samples = self._samples(x)
        limits = np.full(rows, -np.inf, np.float32)
        ids, counts, refused = self._lists(rows, 2 * k + _ROOM, samples)
        upper = _scratch("upper", ids.shape, np.float32)
        block = self._block(rows)
        for first in range(0, len(self.t), block):
            products = self._products(samples, first, block)

            def look(start: int, stop: int, first: int = first, products: np.ndarray = products) -> None:
                peaks = np.empty(compiled.peaks(k, products.shape[1]), np.float32)
                scratch = np.empty(len(peaks), np.int64)
                compiled.screen_largest(
                    products.reshape(-1), products.shape[1], first, self.t, self.size, samples.slack, samples.scale,
                    signed, k, limits, peaks, scratch, ids, upper, counts, refused, start, stop,
                )  # fmt: skip

            shared_out(look, rows, worth=products.size >= _WORTH_THREADS)

        def question(start: int, stop: int) -> None:
            lower, slots = np.empty(ids.shape[1], np.float32), np.empty(ids.shape[1], np.int64)
            compiled.in_question(ids, upper, counts, self.size, samples.slack, k, refused, lower, slots, start, stop)

        shared_out(question, rows, worth=rows * self.n >= _WORTH_THREADS)
        exact = self._multiplied_out(samples, ids, counts)
        values, features = np.empty((rows, k), exact.dtype), np.empty((rows, k), np.int64)

        def settle(start: int, stop: int) -> None:
            keys, slots = np.empty(ids.shape[1], exact.dtype), np.empty(ids.shape[1], np.int64)
            compiled.settle_largest(exact, ids, counts, signed, k, refused, keys, slots, values, features, start, stop)

        shared_out(settle, rows, worth=rows * self.n >= _WORTH_THREADS)
        return torch.from_numpy(values), torch.from_numpy(features), self._refused(refused)

    def above(
        self,
        x: Float[Tensor, "batch dims"],
        indices: Int[Tensor, "batch some"],
        added: Float[Tensor, "batch some"],
        limits: Float[Tensor, " batch"],
        offset: Float[Tensor, " features"],
        *,
        signed: bool,
    ) -> tuple[Int[Tensor, "batch found"], Float[Tensor, "batch found"], Bool[Tensor, " batch"]]:
        """Features, in ascending order, where the inner product (plus what is `added` to those of `indices`) is above `offset` + the row's limit.

        Rows are as long as the longest; the others end in index 0 and value 0. Also which rows were refused; they are empty.
        """
        rows, compiled = len(x), self.compiled
        samples = self._samples(x)
        limit, offsets = limits.contiguous().numpy(), offset.contiguous().numpy()
        about = np.pad(offsets.astype(np.float32, copy=False), (0, len(self.t) - self.n))
        ids, counts, refused = self._lists(rows, _ROOM, samples)
        block = self._block(rows)
        for first in range(0, len(self.t), block):
            products = self._products(samples, first, block)
            look = functools.partial(
                compiled.screen_above, products.reshape(-1), products.shape[1], first, self.t, self.size, samples.slack, samples.scale,
                signed, limit, about, ids, counts, refused,
            )  # fmt: skip
            shared_out(look, rows, worth=products.size >= _WORTH_THREADS)
        old, plus = indices.contiguous().numpy(), added.contiguous().numpy()
        features = np.empty((rows, min(int(counts.max(initial=0)), ids.shape[1]) + old.shape[1]), np.int64)

        def join(start: int, stop: int) -> None:
            compiled.joined(ids, counts, old, plus, refused, np.zeros(self.n, np.bool_), features, start, stop)

        shared_out(join, rows, worth=rows * self.n >= _WORTH_THREADS)
        values = self._multiplied_out(samples, features, counts)

        def settle(start: int, stop: int) -> None:
            extra = np.zeros(self.n, values.dtype)
            compiled.settle_above(features, values, counts, signed, limit, offsets, old, plus, extra, start, stop)

        shared_out(settle, rows, worth=rows * self.n >= _WORTH_THREADS)
        width = int(counts.max(initial=0))
        compiled.fill_rest(features, values, counts, width)
        return torch.from_numpy(features[:, :width]), torch.from_numpy(values[:, :width]), self._refused(refused)

    def _refused(self, rows: np.ndarray) -> Tensor:
        self._asked += len(rows)
        self._in_vain += int(rows.sum())
        return torch.from_numpy(rows)

    def _multiplied_out(self, samples: "_Samples", ids: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """The inner products of the features listed."""
        rows, x = len(counts), samples.x
        values, at = np.empty((rows, int(counts.max(initial=0))), x.dtype), np.zeros(rows, np.int64)
        tails, table = np.zeros(rows * self.compiled.LANES, x.dtype), self.table.numpy().reshape(-1)
        work = functools.partial(self.compiled.multiply_out, table, self.n, x, self.d, ids, counts, at, tails, values)
        shared_out(work, len(counts), worth=len(counts) * self.n >= _WORTH_THREADS)
        return values

    def _block(self, rows: int) -> int:
        whole = self.compiled.WIDE
        return min(len(self.t), max(_LEAST_BLOCK, _PRODUCTS // max(rows, 1) // whole * whole))

    def _samples(self, x: Tensor) -> "_Samples":
        numbers = x.detach().contiguous()
        q, scale, size, wrong = self._rounded(numbers)
        # the last term: float32 roundings of the bound itself, and those of the inner products that it stands for
        slack = wrong + self.share * (size + wrong) + np.finfo(np.float32).eps * (self.d + 16) * size
        return _Samples(numbers.numpy().reshape(-1), torch.from_numpy(q), scale, slack)

    def _rounded(self, numbers: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Rows as s q: q in -127 ... 127, the scale s, the length, and that of what rounding took."""
        rows, d = numbers.shape
        q = np.zeros((rows, self.padded), np.int8)
        scale, size, wrong = (np.empty(rows, np.float32) for _ in range(3))
        work = functools.partial(self.compiled.round_rows, numbers.float().numpy().reshape(-1), d, q.reshape(-1), scale, size, wrong)
        shared_out(work, rows, worth=numbers.numel() >= _WORTH_THREADS)
        return q, scale, size, wrong

    def _products(self, samples: "_Samples", first: int, block: int) -> np.ndarray:
        directions = self.p[first : first + block]
        out = torch.from_numpy(_scratch("products", (len(samples.q), len(directions)), np.int32))
        torch._int_mm(samples.q, directions.T, out=out)  # pyright: ignore[reportPrivateImportUsage]  the one product of bytes on CPUs
        return out.numpy()

    def _lists(self, rows: int, room: int, samples: "_Samples") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Room for candidates, how many there are, and which rows are refused from the start: those whose scale float32 cannot square."""
        refused = ~((samples.scale > _SMALLEST) & (samples.scale < 1 / _SMALLEST) & np.isfinite(samples.slack))
        return _scratch("ids", (rows, room), np.int32), np.zeros(rows, np.int64), refused


class OnDemand:
    """The screen of a table, made at the first search that is large enough to gain by one; without a table there is none."""

    def __init__(self, table: Float[Tensor, "features dims"] | None) -> None:
        self._table, self._screen, self._made = table, None, table is None

    def __call__(self, rows: int, wanted: int = 1) -> Screen | None:
        """For a search of so many samples, for so many features each."""
        if self._table is None or rows * self._table.numel() < _WORTH or wanted * _FEW > len(self._table):
            return None
        with _making:
            if not self._made:
                self._screen, self._made = Screen.of(self._table), True
        return self._screen if self._screen is not None and self._screen.helps() else None


class _Samples(NamedTuple):
    """Samples one after the other, the same in eight bits, their scales, and how wrong an inner product can be by a direction of length 1."""

    x: np.ndarray
    q: Tensor
    scale: np.ndarray
    slack: np.ndarray


def multiplies_bytes() -> bool:
    """Whether the processor has instructions for products of bytes; without them integer products are slower than float32 ones, or wrong."""
    seen = getattr(torch.cpu, "_is_vnni_supported", None)  # not in every version
    return seen is not None and hasattr(torch, "_int_mm") and torch.backends.cpu.get_cpu_capability().startswith("AVX512") and seen()


def _scratch(name: str, shape: tuple[int, int], kind: type) -> np.ndarray:
    """Uninitialised numbers that are this thread's until it asks again: fresh memory of some MB costs as much as the products that fill it."""
    kept: dict[str, np.ndarray] = _kept.__dict__.setdefault("arrays", {})
    size = shape[0] * shape[1]
    if name not in kept or kept[name].size < size or kept[name].size > max(2 * size, 2 * _PRODUCTS):
        kept[name] = np.empty(size, kind)
    return kept[name][:size].reshape(shape)


_kept = threading.local()
_making = threading.Lock()
