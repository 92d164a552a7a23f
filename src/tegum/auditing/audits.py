"""audit: what a layer holds, whether it is in superposition, who can read it and how it is laid out: every question, one result."""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor

from tegum.activations import Activations, load
from tegum.activations.dataset import DOCUMENTS, POSITIONS, TOKENS
from tegum.activations.loading import finite_rows
from tegum.auditing._answer import Answer
from tegum.auditing._asked import check_contexts, check_reading
from tegum.auditing._audit_folder import AuditFolder, OnStep
from tegum.auditing._page import page
from tegum.auditing._subject import Source, Subject, subject_of
from tegum.auditing.against_nulls import superposition
from tegum.auditing.how_laid_out import layout
from tegum.auditing.strongest_contexts import contexts
from tegum.auditing.what_it_holds import holding
from tegum.auditing.who_reads import InModel, reading
from tegum.checks import check_count, check_seed
from tegum.files import write_whole
from tegum.learning.autoencoders._base import Autoencoder
from tegum.learning.fitting import fit
from tegum.learning.formats._doors import load as load_autoencoder
from tegum.learning.learnt_dictionary import load_dictionary
from tegum.parts import discover
from tegum.results import Result
from tegum.store.strict_json import strict_json

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure

    from tegum.learning.sparse_autoencoder import SparseAutoencoder

VERSION = 1  # of what is computed: steps that another version kept are not taken for its own
SUPERPOSITION, READING, HOLDING, LAYOUT, CONTEXTS = "superposition", "reading", "holding", "layout", "contexts"
LEARNING = "learning"
QUESTIONS = SUPERPOSITION, READING, HOLDING, LAYOUT, CONTEXTS
_HELD_OUT = 0.1
_BATCH = 1024


@dataclass(frozen=True, eq=False)
class Audit(Result):
    """The answers by question, and `facts`: what was audited, with which settings, and how long each step took."""

    answers: Mapping[str, Answer]
    facts: Mapping[str, Any]
    dictionary: Source | None = None

    @property
    def table(self) -> "pd.DataFrame":
        """Every finding: question, finding, value, low, high (95%), words."""
        import pandas as pd

        lines = [
            {"question": name, "finding": found.name, "value": found.value, "low": found.low, "high": found.high, "words": found.words}
            for name, one in self.answers.items() for found in one.findings
        ]  # fmt: skip
        return pd.DataFrame(lines, columns=["question", "finding", "value", "low", "high", "words"])

    @property
    def tables(self) -> "dict[str, pd.DataFrame]":
        """All tables, named "question: table"."""
        return {f"{name}: {title}": table for name, one in self.answers.items() for title, table in one.tables.items()}

    @property
    def figures(self) -> "tuple[Figure, ...]":
        """All figures, in the order of the questions; captions are in `layout.meta`."""
        return tuple(figure for one in self.answers.values() for figure in one.figures)

    def to_dataframe(self) -> "pd.DataFrame":
        """`table`."""
        return self.table

    def to_json(self) -> str:
        """Facts and answers as strict JSON, without figures; NaN is null."""
        answers = {
            name: {
                "question": one.question,
                "verdict": one.verdict,
                "findings": [asdict(found) for found in one.findings],
                "tables": {title: table.to_dict(orient="records") for title, table in one.tables.items()},
                "assumed": list(one.assumed),
            }
            for name, one in self.answers.items()
        }
        return strict_json({**self.facts, "answers": answers})

    def to_html(self, path: str | Path) -> None:
        """Write the page, one file that opens from disk and asks nothing of anyone: whole or not at all."""
        write_whole(path, page(self.facts, self.answers).encode("utf-8", "backslashreplace"))

    def __repr__(self) -> str:
        told = "\n".join(f"  {one.question} {one.verdict}" for one in self.answers.values())
        return f"Audit({self.facts['name']}: {self.facts['rows']:,} rows of {self.facts['n_dims']} dims)\n{told}"


def audit(
    activations: Activations | Tensor | np.ndarray | str | Path,
    dictionary: Source | str | Path | None = None,
    *,
    site: str | None = None,
    learn: str | Autoencoder | None = "topk",
    n_features: int | None = None,
    n_active: int | None = None,
    samples: int | None = None,
    questions: Sequence[str] = QUESTIONS,
    rows: int = 20_000,
    test_rows: int | None = None,
    references: int | None = None,
    polish_rows: int = 50_000,
    model: InModel | None = None,
    contexts_of: Sequence[int] = (),
    tokenizer: Any = None,
    out: str | Path | None = None,
    seed: int = 0,
    on_step: OnStep | None = None,
    progress: bool | None = None,
) -> Audit:
    """Ask everything of a layer and its dictionary.

    Parameters
    ----------
    activations
        What `tegum.activations.capture` returned, or anything that `tegum.activations.load` reads; `site` picks one of several.
    dictionary
        An autoencoder, a learnt dictionary, a `Dictionary` or a table (features, dims), or the path of one that was saved: SAELens,
        dictionary_learning, sparsify, or a file of tegum's. Without one, `learn` says what is learnt.
    learn
        An architecture such as "topk", "batchtopk" or "jumprelu", or a description such as `TopKSAE(n_features=4096, n_active=32)`. Named alone it
        has `n_features`, 8 a dim and at most 4,096 by default, of which `n_active` are on, 32 or an eighth of the dims. None: only the layer is
        asked about.
    n_active
        How many features may be on in a row. What the encoder has on by default; without an encoder, a twelfth of the dims.
    samples
        Rows to train on, passes counted; as `tegum.learning.fit` by default.
    questions
        Which of "superposition", "reading", "holding", "layout", "contexts"; those that need a dictionary are left out where there is none.
    rows, test_rows, references
        Held-out rows that are read; rows and drawn data sets of the test for superposition.
    polish_rows
        Rows that the dictionary is polished on; 0: it is not.
    model
        Where the rows come from, so that the loss recovered can be measured.
    contexts_of, tokenizer
        Features whose strongest contexts are shown, and what turns tokens into text.
    out
        A folder: each step is kept there as soon as it is done, and the same call goes on after a crash, to the same result.
    on_step
        Called with the name of each step, its seconds, and whether it was kept already.

    Raises
    ------
    ValueError
        For activations that are empty or of other dims than the dictionary, unknown questions or architectures, arguments out of range, and an `out`
        that holds another audit.
    """
    acts, left_out = _one_site(activations, site)
    asked = [name for name in QUESTIONS if name in _known(questions)]
    check_seed(seed)
    for name, count, least in (
        ("rows", rows, 2),
        ("test_rows", test_rows, 2),
        ("references", references, 1),
        ("polish_rows", polish_rows, 0),
    ):
        if count is not None:
            check_count(name, count, at_least=least)
    source, described = _dictionary(dictionary, learn, acts, n_features, n_active)
    if READING in asked and (source is not None or described is not None):
        check_reading(acts, n_active, n_features if source is None else subject_of(source).n_features, polish_rows)
    if contexts_of:
        if CONTEXTS not in asked:
            raise ValueError(f"contexts_of asks for contexts, which are not among the questions: {', '.join(asked)}")
        check_contexts(acts, None if source is None else subject_of(source), described, contexts_of, tokenizer)
    facts = {
        "version": VERSION, "name": acts.name or "activations", "site": acts.site, "rows": len(acts), "left_out": left_out,
        "n_dims": acts.n_dims, "activations": _rows_digest(acts) if out is not None else None,
        "dictionary": _digest(source) if source is not None else str(described),
        "n_active": n_active, "samples": samples, "read_rows": rows, "test_rows": test_rows, "references": references, "polish_rows": polish_rows,
        "contexts_of": [int(feature) for feature in contexts_of], "tokenizer": _tokenizer_name(tokenizer) if contexts_of else None,
        "model": None if model is None else model.told, "seed": seed,
    }  # fmt: skip
    with AuditFolder.at(out, facts, on_step) as folder:
        varies = _varies(acts)
        if source is None and described is not None and varies:
            source = _learnt(described, acts, samples, seed, folder, progress)
        subject = None if source is None else subject_of(source)
        ask = _Asking(acts, subject, n_active, seed, folder, progress)
        makers: dict[str, Callable[[], Answer]] = {
            SUPERPOSITION: lambda: superposition(
                acts, rows=test_rows, references=references, seed=seed, keep=folder.part(SUPERPOSITION), progress=progress
            ),
            READING: lambda: ask.reading(rows, polish_rows, model),
            HOLDING: ask.holding,
            LAYOUT: ask.layout,
            CONTEXTS: lambda: ask.contexts(contexts_of, tokenizer),
        }
        needless = {CONTEXTS} if not contexts_of else set()
        if subject is None:
            needless |= {READING, HOLDING, CONTEXTS}
        left = [name for name in asked if name not in needless]
        if not left:
            without = "no dictionary" if subject is None else "no features in contexts_of"
            raise ValueError(f"nothing is left to ask: questions are {', '.join(asked)}, and there is {without}")
        answers = {name: _kept(folder, name, makers[name]) for name in left}
        told = {
            **facts,
            "dictionary": "none" if subject is None else subject.name,
            "n_features": None if subject is None else subject.n_features,
            "l0": None if subject is None else subject.n_active,
            "took": round(sum(s for step, s in folder.seconds.items() if step.endswith(": answer") or step == LEARNING), 3),
            "seconds": {step: round(seconds, 3) for step, seconds in folder.seconds.items()},
        }
    return Audit(answers, told, source)


@dataclass(frozen=True, eq=False)
class _Asking:
    """What the questions about a dictionary have in common."""

    acts: Activations
    subject: Subject | None
    n_active: int | None
    seed: int
    folder: AuditFolder
    progress: bool | None

    @property
    def _on(self) -> float:
        """How many features are on in a row, told or measured on some rows."""
        assert self.subject is not None
        if self.n_active is not None:
            return float(self.n_active)
        if self.subject.n_active:
            return self.subject.n_active
        if self.subject.encode is not None:
            z = self.subject.encode(self.acts.read(self.acts.order(self.seed)[:2_000]))
            return max(1.0, float((z.values != 0).sum(1).double().mean()))
        return float(max(1, min(self.acts.n_dims // 12, self.subject.n_features // 2)))

    def reading(self, rows: int, polish_rows: int, model: InModel | None) -> Answer:
        assert self.subject is not None
        n_active = self.n_active if self.subject.encode is not None or self.subject.n_active else round(self._on)
        return reading(
            self.acts, self.subject, n_active=n_active, rows=rows, polish_rows=polish_rows, model=model, seed=self.seed,
            polish_out=None if self.folder.path is None else self.folder.path / "polishing",
            keep=self.folder.part(READING), progress=self.progress,
        )  # fmt: skip

    def holding(self) -> Answer:
        assert self.subject is not None
        return holding(self.subject.dictionary.dense(), min(self._on, self.subject.n_features), seed=self.seed, progress=self.progress)

    def layout(self) -> Answer:
        if self.subject is None:
            return layout(self.acts, seed=self.seed, progress=self.progress)
        return layout(self.acts, self.subject.dictionary.dense(), self.subject.encode, seed=self.seed, progress=self.progress)

    def contexts(self, features: Sequence[int], tokenizer: Any) -> Answer:
        assert self.subject is not None
        if self.subject.encode is None:
            raise ValueError(f"{self.subject.name} has no encoder, so that no feature has contexts")
        return contexts(self.acts, self.subject.encode, features, tokenizer, progress=self.progress)


def architecture(name: str, n_dims: int, n_features: int | None = None, n_active: int | None = None) -> Autoencoder:
    """The autoencoder of a short name, "topk" for TopKSAE, at sizes that suit `n_dims`. ValueError for an unknown one, with those there are."""
    found = {known.lower().removesuffix("sae").replace("_", ""): part for known, part in discover("autoencoders").items()}
    key = name.lower().removesuffix("sae").replace("_", "").replace("-", "")
    if key not in found:
        raise ValueError(f"there is no autoencoder {name!r} to learn; there are {', '.join(sorted(found))}")
    fields = found[key].__dataclass_fields__
    sizes: dict[str, Any] = {"n_features": n_features or min(4096, 8 * n_dims)}
    if "n_active" in fields:
        sizes["n_active"] = n_active or max(1, min(32, n_dims // 8, sizes["n_features"]))
    return found[key](**sizes)


def _one_site(activations: Any, site: str | None) -> tuple[Activations, int]:
    """The rows of one site that are finite, and how many are not, as far as that is still known."""
    acts = activations if isinstance(activations, Activations) else load(activations, site=site)
    acts = acts.at(site) if site is not None and len(acts.sites) > 1 else acts
    finite = finite_rows(acts)
    if not len(finite):
        raise ValueError(f"{acts.name or 'the activations'} holds no rows")
    return finite, len(acts) - len(finite)


def _known(questions: Sequence[str]) -> Sequence[str]:
    if isinstance(questions, str) or not set(questions) <= set(QUESTIONS) or not questions:
        raise ValueError(f"questions are {questions!r}; they must be some of {', '.join(QUESTIONS)}")
    return questions


def _dictionary(
    dictionary: Source | str | Path | None, learn: str | Autoencoder | None, acts: Activations, n_features: int | None, n_active: int | None
) -> tuple[Source | None, Autoencoder | None]:
    """The dictionary that was given, or what is to be learnt; neither where only the layer is asked about."""
    if dictionary is None:
        described = architecture(learn, acts.n_dims, n_features, n_active) if isinstance(learn, str) else learn
        return None, described
    source = _loaded(dictionary) if isinstance(dictionary, (str, Path)) else dictionary
    subject = subject_of(source)
    if subject.n_dims != acts.n_dims:
        raise ValueError(f"the activations have {acts.n_dims} dims but {subject.name} has {subject.n_dims}")
    return source, None


def _loaded(path: str | Path) -> Source:
    """An autoencoder of any format that is known, or a dictionary of sparse coding."""
    if not Path(path).exists():
        raise FileNotFoundError(f"there is no dictionary at {path}")
    try:
        return load_dictionary(path)
    except (ValueError, OSError):
        return load_autoencoder(path)


def _digest(source: Source) -> str:
    """Of the numbers of a dictionary, and of how it reads."""
    tensors = (
        [value for _, value in sorted(source.state_dict().items())]
        if isinstance(source, torch.nn.Module)
        else [subject_of(source).dictionary.dense(), subject_of(source).centre]
    )
    how = getattr(source, "architecture", None) or getattr(source, "decoder", None)
    told = hashlib.sha256(f"{type(source).__name__} {how!r}".encode())
    for tensor in tensors:
        told.update(f"{tuple(tensor.shape)} {tensor.dtype}".encode())
        told.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return told.hexdigest()[:32]


def _rows_digest(acts: Activations) -> str:
    """Of the rows, and of the documents and tokens that they come with, by which rows are held out and contexts are told."""
    told = hashlib.sha256(acts.digest().encode())
    for beside in (DOCUMENTS, TOKENS, POSITIONS):
        if acts.has(beside):
            told.update(beside.encode() + getattr(acts, beside[1:]).numpy().tobytes())
    return told.hexdigest()[:32]


def _tokenizer_name(tokenizer: Any) -> str:
    return " ".join(filter(None, (type(tokenizer).__name__, str(getattr(tokenizer, "name_or_path", "")))))


def _varies(acts: Activations) -> bool:
    some = acts.read(acts.order(0)[:4096]).double()
    moved = float((some - some.mean(0)).square().sum())
    return math.isfinite(moved) and moved > 1e-12 * float(some.square().sum())


def _learnt(
    what: Autoencoder, acts: Activations, samples: int | None, seed: int, folder: AuditFolder, progress: bool | None  # noqa: FBT001
) -> Source:  # fmt: skip
    """Trained on documents that the reading does not see; kept in the folder, whose next call has it at once."""
    out = None if folder.path is None else folder.path / "dictionary"
    left = len(acts.split(_HELD_OUT, seed)[0])
    held_out = _HELD_OUT if left >= len(acts) / 2 else 0.0  # so few documents that those held out would be most of the rows
    batch = max(1, min(_BATCH, math.floor(0.9 * (left if held_out else len(acts)))))
    done: list[Source] = []

    def train() -> dict[str, Any]:
        sae = fit(what, acts, samples=samples, batch_size=batch, seed=seed, held_out=held_out, out=out, progress=progress)
        done.append(cast("SparseAutoencoder", sae))
        return {"architecture": str(what)}

    folder.keep(LEARNING, train)
    if not done:  # the step is kept, and so is what was learnt
        train()
    return done[0]


def _kept(folder: AuditFolder, name: str, make: Callable[[], Answer]) -> Answer:
    return Answer.from_json(folder.keep(f"{name}: answer", lambda: {"answer": make().to_json()})["answer"])
