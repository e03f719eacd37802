"""Provenance -> what a signature on paper is for: what was audited, and the digests that bind a decision to it."""

from dataclasses import dataclass

from audit.records import Report
from audit.render.pages.layers import Fact

AUDITED = {
    "checkpoint": "checkpoint",
    "checkpoint digest": "its digest",
    "weights digest": "digest of the weights",
    "data digest": "digest of the data",
    "configuration": "configuration",
    "configuration digest": "its digest",
    "device": "device",
    "started": "when",
}
"""Entries of the provenance that the cover shows, with their names there; all others stand at the end."""

BOUND = {"weights": "weights digest", "data": "data digest", "configuration": "configuration digest"}
"""What a decision is bound to, and where its digest is."""

SHORT = 12


@dataclass(frozen=True)
class Signing:
    """What was `audited`; the digests of it and of results.json, `run`, in short; when the run `started`."""

    audited: tuple[Fact, ...]
    digests: tuple[Fact, ...]
    run: str
    started: str


def signing_of(report: Report, digest: str) -> Signing:
    """`digest` is that of results.json, which holds those of all other files; what is not known is said to be so."""
    digest = digest or "not known"
    known = report.provenance
    audited = [Fact(word, known[name]) for name, word in AUDITED.items() if name in known]
    digests = [Fact(word, known[name][:SHORT] if name in known else "not known") for word, name in BOUND.items()]
    return Signing(
        (*audited, Fact("digest of results.json", digest)),
        (*digests, Fact("results.json", digest[:SHORT])),
        digest[:SHORT],
        known.get("started", ""),
    )
