"""A verdict and the waivers of its item -> the verdict that counts."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date

from audit.records import Verdict, Waiver
from audit.waivers.reading import Waivers, is_glob
from audit.words import listed


def waived(verdict: Verdict, waivers: Waivers, weights: str, today: date, passed: Callable[[str], bool]) -> Verdict:
    """The verdict, or that somebody lets it pass, or that a waiver has expired or is not needed.

    Only what was measured and is beyond its limit can be waived, never an error, nor what could not be measured.
    `passed` says of another item of the model, by name, whether it is known to have passed. A glob is not
    needed where all of the model's items that it fits have passed, which their last one says.
    """
    own = [(waiver, names) for waiver, names in waivers if verdict.item.name in names]
    if not own:
        return verdict
    if verdict.outcome == "passed":
        model = f"{verdict.item.model}::"
        unused = (
            one for one, names in own if _needless(verdict, one, [n for n in names if n.startswith(model)], passed)
        )
        return _unused(verdict, next(unused, None))
    if verdict.outcome != "failed" or verdict.measured is None:
        return verdict
    mine = [waiver for waiver, _ in own if _is_for(waiver, weights)]
    valid = [waiver for waiver in mine if date.fromisoformat(waiver.expires) >= today]
    if covering := _covering(verdict, valid):
        return replace(verdict, outcome="waived", waiver=covering)
    if _covering(verdict, mine):
        first = min((waiver for waiver in mine if waiver not in valid), key=lambda waiver: waiver.expires)
        said = (
            f"{verdict.message}; it was waived until {first.expires} by {first.owner} ({first.place}): "
            "mend it, or decide anew"
        )
        return replace(verdict, outcome="waiver-expired", message=said, waiver=first)
    return replace(verdict, message=f"{verdict.message}; {_why_not(verdict, [waiver for waiver, _ in own], weights)}")


def _needless(verdict: Verdict, waiver: Waiver, names: Sequence[str], passed: Callable[[str], bool]) -> bool:
    if not is_glob(waiver.items):
        return True
    return names[-1] == verdict.item.name and all(passed(name) for name in names[:-1])


def _unused(verdict: Verdict, waiver: Waiver | None) -> Verdict:
    if waiver is None:
        return verdict
    said = f"{verdict.message}; the waiver of {waiver.owner} ({waiver.place}) lets nothing pass: take it out"
    return replace(verdict, outcome="waiver-unused", message=said, waiver=waiver)


def _is_for(waiver: Waiver, weights: str) -> bool:
    return waiver.checkpoint is None or weights.startswith(waiver.checkpoint)


def _covering(verdict: Verdict, waivers: Sequence[Waiver]) -> Waiver | None:
    """The first of the waivers that, together, let every finding pass."""
    whole = next((waiver for waiver in waivers if waiver.units is None), None)
    if whole is not None:
        return whole
    units = {unit for waiver in waivers for unit in waiver.units or ()}
    found = {finding.unit for finding in verdict.findings}
    return waivers[0] if waivers and found and found <= units else None


def _why_not(verdict: Verdict, own: Sequence[Waiver], weights: str) -> str:
    other = next((waiver for waiver in own if not _is_for(waiver, weights)), None)
    if other is not None:
        return f"the waiver of {other.owner} ({other.place}) is for the weights {other.checkpoint}"
    units = {unit for waiver in own for unit in waiver.units or ()}
    beyond = [str(finding.unit) for finding in verdict.findings if finding.unit not in units]
    said = "of which none is found"
    if beyond:
        said = f"and there {'is unit' if len(beyond) == 1 else 'are units'} {listed(beyond, 8)}"
    return f"the waiver of {own[0].owner} ({own[0].place}) is for units {listed(sorted(units), 8)}, {said}"
