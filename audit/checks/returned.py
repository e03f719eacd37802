"""What a check returned -> a judgement in plain Python values, which can be compared, shown and stored."""

from typing import Any, get_args, get_type_hints

from audit.errors import PluginError
from audit.records import Finding, Judgement, Outline

GOOD = get_args(get_type_hints(Judgement)["good"])


def judgement(returned: Any, outline: Outline, place: str | None) -> Judgement:
    """As it was meant; PluginError, beginning with the place of the check, for what no judgement can be made of."""
    try:
        return _plain(returned, outline)
    except (TypeError, ValueError) as error:
        raise PluginError(f"{place or 'the check'}: {error}") from None


def _plain(returned: Any, outline: Outline) -> Judgement:
    if not isinstance(returned, Judgement):
        raise TypeError(f"judge returned a {type(returned).__name__}; it has to return a Judgement")
    if returned.good not in GOOD:
        raise ValueError(f"the judgement has good = {returned.good!r}; it is one of {', '.join(map(repr, GOOD))}")
    return Judgement(
        _number(returned.measured, "measured"),
        _number(returned.limit, "limit"),
        returned.good,
        str(returned.unit),
        str(returned.message),
        tuple(_finding(finding, outline) for finding in returned.findings),
        None if returned.asked is None else _number(returned.asked, "asked"),
    )


def _finding(finding: Any, outline: Outline) -> Finding:
    if not isinstance(finding, Finding):
        raise TypeError(f"a finding of the judgement is a {type(finding).__name__}, not a Finding")
    units = {layer.name: layer.units for layer in outline.layers}
    if finding.layer is not None and finding.layer not in units:
        raise ValueError(f'a finding is of the layer "{finding.layer}", which the model does not have')
    unit = None if finding.unit is None else int(finding.unit)
    layer = (
        outline.layers[-1].name if finding.layer is None else finding.layer
    )  # of the whole model: one of its outputs
    if unit is not None and not 0 <= unit < units[layer]:
        raise ValueError(f"a finding is of unit {unit} of {layer}, which there is not")
    return Finding(finding.layer, unit, str(finding.message), _number(finding.measured, "measured of a finding"))


def _number(value: Any, name: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} is {value!r}; it has to be a number") from None
