"""Tokens of docstrings with two labels that stand in the text and not in the token: was the word capitalised, is it part of an example.

The model is uncased: 'None' and 'none', 'The' and 'the' are one token each to it, and what was lost must be told from what stands around. An
example is a line of a docstring that begins with >>> or the ... that goes on with one.
"""

from collections.abc import Sequence
from typing import Any

import torch

from tegum.experiments.real_models._probing import Labelled

PROPERTIES = "capitalised", "in an example"
LENGTH = 128  # tokens of a text at the most: each is one sample


def short_texts(tokenizer: Any, texts: Sequence[str], count: int) -> list[str]:
    """So many texts of those that are one sample, with eight tokens at least; a quarter of them with an example, where there are as many."""
    sizes = [len(ids) for ids in tokenizer(list(texts), return_attention_mask=False, verbose=False)["input_ids"]]
    short = [text for text, size in zip(texts, sizes, strict=True) if 8 <= size <= LENGTH]
    groups = [text for text in short if ">>>" in text], [text for text in short if ">>>" not in text]
    few = min(len(groups[0]), count // 4)
    return [group[int(place)] for group, size in zip(groups, (few, count - few), strict=True) for place in _spaced(len(group), size)]


def words_of(tokenizer: Any, texts: Sequence[str]) -> dict[str, torch.Tensor]:
    """A row a token that begins a word of letters: document, position, token, and a label of 0 or 1 for each of `PROPERTIES`."""
    told = tokenizer(list(texts), return_offsets_mapping=True, return_attention_mask=False, verbose=False)
    rows = []
    for document, (text, ids, offsets) in enumerate(zip(texts, told["input_ids"], told["offset_mapping"], strict=True)):
        for position, (token, (start, end)) in enumerate(zip(ids, offsets, strict=True)):
            word = text[start:end]
            if end > start and word.isalpha() and not (start and text[start - 1].isalnum()):
                line = text[text.rfind("\n", 0, start) + 1 : start].lstrip()
                rows.append((document, position, token, int(word[0].isupper()), int(line.startswith((">>>", "...")))))
    columns = torch.tensor(rows).T
    return dict(zip(("documents", "positions", "tokens", *PROPERTIES), columns, strict=True))


def balanced(words: dict[str, torch.Tensor], what: str, held_out: torch.Tensor, most: int, seed: int) -> torch.Tensor:
    """Places of words, as many with either label: at most `most` of each among those learnt from, and half as many of each among those held out."""
    draw = torch.Generator().manual_seed(seed)
    chosen = []
    for side, limit in ((~held_out, most), (held_out, most // 2)):
        groups = [(side & (words[what] == label)).nonzero()[:, 0] for label in (0, 1)]
        size = min(limit, *map(len, groups))
        if size < 1:
            raise ValueError(f"too few texts: no word held out, or none learnt from, is {what}, or none is not; raise texts")
        chosen += [group[torch.randperm(len(group), generator=draw)[:size]] for group in groups]
    return torch.cat(chosen).sort().values


def labelled(words: dict[str, torch.Tensor], what: str, places: torch.Tensor, held_out: torch.Tensor) -> Labelled:
    """Those words with that label."""
    return Labelled(words[what][places], held_out[places], words["tokens"][places], words["documents"][places])


def _spaced(many: int, few: int) -> list[float]:
    return torch.linspace(0, many - 1, min(few, many)).tolist() if many else []
