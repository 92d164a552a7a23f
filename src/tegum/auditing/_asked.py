"""What an audit is asked and can not answer is refused before any work, so that nothing is learnt or tested in vain."""

from collections.abc import Sequence
from typing import Any

from tegum.activations import Activations
from tegum.activations.dataset import DOCUMENTS, POSITIONS, TOKENS
from tegum.auditing._subject import Subject
from tegum.checks import check_below, check_number
from tegum.learning.autoencoders._base import Autoencoder


def check_reading(acts: Activations, n_active: int | float | None, n_features: int | None, polish_rows: int) -> None:  # noqa: PYI041
    """Raise ValueError for fewer than four rows, more features on than there are, and a polish by one row."""
    if len(acts) < 4:
        raise ValueError(f"there are {len(acts)} rows; to learn from some and read others there must be 4 at least")
    if n_active is not None:
        check_number("n_active", n_active, zero=False)
        if n_features is not None and n_active > n_features:
            raise ValueError(f"n_active is {n_active} but there are {n_features:,} features")
    if polish_rows == 1:
        raise ValueError("polish_rows is 1; it must be 0, for no polish, or at least 2, for one row alone does not vary")


def check_tokens(acts: Activations) -> None:
    """Raise ValueError for rows of which no tokens, positions or documents are known."""
    for what in (TOKENS, POSITIONS, DOCUMENTS):
        if not acts.has(what):
            raise ValueError(
                f"no {what[1:]} are known of {acts.name or 'these rows'}: contexts need activations that were captured from batches with tokens "
                "(input_ids)"
            )


def check_contexts(acts: Activations, subject: Subject | None, learnt: Autoencoder | None, features: Sequence[int], tokenizer: Any) -> None:
    """Raise ValueError for texts without a tokenizer or tokens, and for features that are not there or that nothing encodes."""
    if tokenizer is None:
        raise ValueError("contexts_of asks for texts: give the tokenizer that made the tokens")
    check_tokens(acts)
    if subject is not None and subject.encode is None:
        raise ValueError(f"{subject.name} has no encoder, so that no feature has contexts")
    n_features = subject.n_features if subject is not None else getattr(learnt, "n_features", None)
    if n_features is not None:
        for feature in features:
            check_below("contexts_of", int(feature), n_features)
