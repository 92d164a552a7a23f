"""Where is a feature on? Its top-activating contexts: the tokens at which its code is largest, with the tokens around them, for a person to judge.

One pass over the rows keeps, of each feature that is asked for, its largest codes so far, one a document: else ten times the same sentence says what
one says. What stands around a token is of the same document and the same sample, as far as rows of it are there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from tegum.activations import Activations
from tegum.auditing._answer import Answer, Finding
from tegum.auditing._asked import check_tokens
from tegum.checks import check_below, check_count
from tegum.features import SparseCodes
from tegum.progress import bar
from tegum.results import Result
from tegum.shapes import Float, Int

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Contexts", "contexts", "top_contexts"]

QUESTION = "Where are its features on?"
_ROWS = 1024  # at a time: few enough where codes are dense on the way
_COLUMNS = ("feature", "rank", "value", "before", "token", "after", "document", "position", "row")
Codes = Callable[[Tensor], SparseCodes]


@dataclass(frozen=True, eq=False, repr=False)
class Contexts(Result):
    """Of each of `features` its contexts, largest code first: a line each in the table.

    `lines` hold feature, rank, value, the text before, the token, the text after, document, position in its sample, and row. `rates[i]` is the share
    of `rows` rows in which features[i] is on. Texts are as the tokenizer gives them: a page must escape them.
    """

    features: Int[Tensor, " features"]
    rates: Float[Tensor, " features"]
    rows: int
    lines: tuple[tuple[Any, ...], ...]

    def of(self, feature: int) -> "pd.DataFrame":
        """The lines of one feature. ValueError for one that was not asked for."""
        if feature not in self.features.tolist():
            raise ValueError(f"feature {feature} was not asked for; there are {', '.join(map(str, self.features.tolist()))}")
        return self.to_dataframe().query("feature == @feature").reset_index(drop=True)

    def to_dataframe(self) -> "pd.DataFrame":
        """One line a context."""
        import pandas as pd

        return pd.DataFrame(list(self.lines), columns=list(_COLUMNS))

    def __repr__(self) -> str:
        return f"Contexts({len(self.features)} features, {len(self.lines)} contexts, of {self.rows:,} rows)"


@torch.no_grad()
def top_contexts(
    activations: Activations, codes: Codes, features: Sequence[int], tokenizer: Any, *, top: int = 10, window: int = 8, once: bool = True,
    progress: bool | None = None,
) -> Contexts:  # fmt: skip
    """The `top` largest codes of each of `features` with `window` tokens on either side, at most one a document unless `once` is False.

    `codes` maps rows to SparseCodes; `tokenizer` has `decode` from a list of tokens to text, as those of transformers do. Codes that are not above 0
    are no activations; of equal ones the first in order of rows comes first; rows that are not finite are passed over. ValueError where no tokens,
    positions and documents are known, for no features, and for one that is not there.
    """
    check_count("top", top)
    check_count("window", window, at_least=0)
    check_tokens(activations)
    asked = list(dict.fromkeys(int(feature) for feature in features))
    if not asked:
        raise ValueError("no features are asked for")
    tokens, positions, documents = activations.tokens.numpy(), activations.positions.numpy(), activations.documents.numpy()
    found, fired, rows = _largest(activations, codes, asked, documents, top, once, progress)
    lines = []
    for place, feature in enumerate(asked):
        own = found[found["slot"] == place]
        for rank, entry in enumerate(own, 1):
            row = int(entry["row"])
            before, after = _around(row, window, positions, documents)
            texts = (tokenizer.decode(tokens[some].tolist()) if some.size else "" for some in (before, np.array([row]), after))
            lines.append((feature, rank, float(entry["value"]), *texts, int(documents[row]), int(positions[row]), row))
    return Contexts(torch.tensor(asked), torch.from_numpy(fired / max(1, rows)), rows, tuple(lines))


def contexts(
    activations: Activations, codes: Codes, features: Sequence[int], tokenizer: Any, *, top: int = 10, window: int = 8, once: bool = True,
    progress: bool | None = None,
) -> Answer:  # fmt: skip
    """`top_contexts` as a part of an audit. Raises as it does."""
    found = top_contexts(activations, codes, features, tokenizer, top=top, window=window, once=once, progress=progress)
    never = [feature for feature, rate in zip(found.features.tolist(), found.rates.tolist(), strict=True) if not rate]
    silent = f" On in no row: {', '.join(map(str, never))}." if never else ""
    verdict = (
        f"The strongest contexts of {len(found.features):,} features, of {found.rows:,} tokens: judge what they have in common.{silent}"
    )
    findings = tuple(
        Finding(f"rate of {feature}", rate, words="share of rows in which the feature is on")
        for feature, rate in zip(found.features.tolist(), found.rates.tolist(), strict=True)
    )
    assumed = ("The strongest contexts say what a feature is most, not all that it is: weaker ones often mean something else.",)
    assumed += ("At most one context a document is told.",) if once else ()
    return Answer(QUESTION, verdict, findings, {"contexts": found.to_dataframe()}, (), assumed)


def _largest(
    activations: Activations,
    codes: Codes,
    asked: list[int],
    documents: np.ndarray,
    top: int,
    once: bool,  # noqa: FBT001
    progress: bool | None,  # noqa: FBT001
) -> tuple[np.ndarray, np.ndarray, int]:
    """The largest codes of each feature as (slot, value, row, document), by slot and then falling; how often each is on; how many rows were read."""
    kept = np.zeros(0, [("slot", np.int64), ("value", np.float64), ("row", np.int64), ("document", np.int64)])
    fired, slot_of, rows = np.zeros(len(asked)), None, 0
    with bar("contexts", len(activations), "rows", progress) as done:
        for first in range(0, len(activations), _ROWS):
            x = activations.read(slice(first, first + _ROWS))
            finite = x.isfinite().all(1).nonzero()[:, 0]
            if len(finite):
                z = codes(x[finite])
                if slot_of is None:
                    for feature in asked:
                        check_below("a feature", feature, z.n_features)
                    slot_of = torch.full((z.n_features,), -1)
                    slot_of[asked] = torch.arange(len(asked))
                rows += len(finite)
                slots = torch.where(z.values != 0, slot_of[z.indices.clamp(min=0)], -1)
                fired += np.bincount(slots[slots >= 0].numpy(), minlength=len(asked))
                sample, column = ((slots >= 0) & (z.values > 0)).nonzero(as_tuple=True)
                fresh = np.zeros(len(sample), kept.dtype)
                fresh["slot"], fresh["value"] = slots[sample, column].numpy(), z.values[sample, column].double().numpy()
                fresh["row"] = first + finite[sample].numpy()
                fresh["document"] = documents[fresh["row"]]
                kept = _best(np.concatenate([kept, fresh]), top, once=once)
            done(min(first + _ROWS, len(activations)))
    return kept, fired, rows


def _best(entries: np.ndarray, top: int, *, once: bool) -> np.ndarray:
    """The `top` of each slot, at most one a document where `once`."""
    entries = entries[np.lexsort((entries["row"], -entries["value"], entries["slot"]))]
    if once:  # the first of each (slot, document), which is its largest
        _, first = np.unique(np.stack([entries["slot"], entries["document"]]), axis=1, return_index=True)
        entries = entries[np.sort(first)]
    starts = np.searchsorted(entries["slot"], entries["slot"])
    return entries[np.arange(len(entries)) - starts < top]


def _around(row: int, window: int, positions: np.ndarray, documents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows before and after that follow each other in one sample of one document."""
    sides = []
    for way in (-1, 1):
        side = []
        for offset in range(1, window + 1):
            other = row + way * offset
            if not 0 <= other < len(positions) or documents[other] != documents[row] or positions[other] != positions[row] + way * offset:
                break
            side.append(other)
        sides.append(np.array(side, np.int64))
    return sides[0][::-1], sides[1]
