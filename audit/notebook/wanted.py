"""A name that a run does not have -> an error that says which there are."""

from collections.abc import Sequence

from audit.errors import NotInReportError, nearest


def missing(what: str, asked: object, there_is: Sequence[object], of: str) -> NotInReportError:
    """`no layer "conv9" in demo; did you mean "conv1"?`"""
    names = [str(name) for name in there_is]
    said = f'"{asked}"' if isinstance(asked, str) else str(asked)
    hint = nearest(str(asked), names) if names else "; there is none"
    return NotInReportError(f"no {what} {said} in {of}{hint}")
