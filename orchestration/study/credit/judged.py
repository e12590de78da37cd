"""What an audit judges, by name or from files."""

from model.audit.candidates import CANDIDATES
from model.audit.judgement import REFERENCE
from model.audit.objectives import Objective, load, trained
from model.audit.published import PUBLISHED
from orchestration.study.credit.options import CreditStudy


def objectives(study: CreditStudy) -> list[Objective]:
    """Those of the study, the reference first.

    Raises:
        ValueError: for a name that is not known.
    """
    known = {**trained(), **PUBLISHED, **CANDIDATES}
    names = study.objectives or tuple(known)
    if unknown := sorted(set(names) - known.keys()):
        raise ValueError(f"unknown objectives {unknown}; known: {', '.join(known)}")
    chosen = [known[name] for name in dict.fromkeys((REFERENCE, *names))]
    return [*chosen, *map(load, study.files)]
