"""Units of a layer in which something was found -> a judgement of their share of the layer."""

from collections.abc import Sequence

from audit.checks.evidence import Evidence
from audit.errors import Unavailable
from audit.records import Finding, Judgement
from audit.words import listed, plural


def share_of_layer(findings: Sequence[Finding], units: int, at_most: float, said: str, advice: str) -> Judgement:
    """The share of `units` that have a finding, in percent; `said` is what is said of them, `advice` what to do."""
    message = f"{len(findings)} of {plural(units, 'unit')} {said}"
    if findings:
        message += f": {listed([finding.unit for finding in findings])}. {advice}"
    return Judgement(100 * len(findings) / units, at_most, "at most", "%", message, tuple(findings))


def enough_pictures(evidence: Evidence, needed: int, findings: Sequence[Finding], said: str) -> None:
    """Unavailable where something was found among too few pictures to prove it: neither passed nor failed."""
    if findings and evidence.images < needed:
        raise Unavailable(
            f"{len(findings)} of the units {said}, but on only {plural(evidence.images, 'picture')}; "
            f"show at least {needed} (data.limit), or set min_images"
        )
