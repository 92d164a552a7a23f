"""Auditing: what a layer or a dictionary holds, who can read it, and how sure that is.

Names load when first used (PEP 562).
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tegum.auditing._answer import Answer, Finding
    from tegum.auditing._subject import Subject, subject_of
    from tegum.auditing.against_nulls import SuperpositionTest, superposition, superposition_test
    from tegum.auditing.audits import Audit, audit
    from tegum.auditing.how_laid_out import EffectiveDims, effective_dims, layout
    from tegum.auditing.readers import Reading, read_by
    from tegum.auditing.strongest_contexts import Contexts, contexts, top_contexts
    from tegum.auditing.what_it_holds import holding
    from tegum.auditing.who_reads import InModel, reading

_HOMES = {
    "Answer": "_answer",
    "Audit": "audits",
    "Contexts": "strongest_contexts",
    "EffectiveDims": "how_laid_out",
    "Finding": "_answer",
    "InModel": "who_reads",
    "Reading": "readers",
    "Subject": "_subject",
    "SuperpositionTest": "against_nulls",
    "audit": "audits",
    "contexts": "strongest_contexts",
    "effective_dims": "how_laid_out",
    "holding": "what_it_holds",
    "layout": "how_laid_out",
    "read_by": "readers",
    "reading": "who_reads",
    "subject_of": "_subject",
    "superposition": "against_nulls",
    "superposition_test": "against_nulls",
    "top_contexts": "strongest_contexts",
}
__all__ = [
    "Answer",
    "Audit",
    "Contexts",
    "EffectiveDims",
    "Finding",
    "InModel",
    "Reading",
    "Subject",
    "SuperpositionTest",
    "audit",
    "contexts",
    "effective_dims",
    "holding",
    "layout",
    "read_by",
    "reading",
    "subject_of",
    "superposition",
    "superposition_test",
    "top_contexts",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"tegum.auditing.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'tegum.auditing' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
