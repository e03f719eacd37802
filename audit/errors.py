"""Every error that a user can meet, as a tree; each says what was asked, what there is and what to do."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path


class AuditError(Exception):
    """Something a user can act on; its text is shown without a traceback."""


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake in a file: where it stands (1-based) and what to do about it."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class ConfigError(AuditError):
    """All mistakes of one audit.toml, in the order of their lines."""

    def __init__(self, problems: Iterable[Problem]):
        self.problems: tuple[Problem, ...] = tuple(sorted(set(problems)))
        super().__init__("\n".join(map(str, self.problems)))

    def seen_from(self, folder: Path) -> "ConfigError":
        """The same mistakes, the file's name shortened where it lies in `folder`."""
        return ConfigError(replace(problem, file=_within(folder, problem.file)) for problem in self.problems)


def _within(folder: Path, file: str) -> str:
    return str(Path(file).relative_to(folder)) if Path(file).is_relative_to(folder) else file


class SectionError(AuditError):
    """What an option of a section asks for cannot be had; `option` names the key that asked (\"checkpoint\")."""

    def __init__(self, option: str, message: str):
        self.option = option
        super().__init__(message)


class Unavailable(AuditError):  # noqa: N818  # a state of a value that items report, not a fault
    """A value that was asked for could not be measured; the text is the reason."""


class NotApplicable(Unavailable):
    """There is nothing of which it could be said: no normalisation, no labels. The text says what is missing.

    An item that somebody asked for by name has failed with it all the same; one of the default checks is skipped.
    """


class DataError(AuditError):
    """Pictures that cannot be found, read or turned into the model's input."""


class PluginError(AuditError):
    """A component of the user's or of an installed package that cannot be had, or that does not do what it should.

    The text begins with its file and line, as far as they are known.
    """


class TemplateError(AuditError):
    """A template of the user's that cannot be read or filled; the text begins with its file and line."""


class StoreError(AuditError):
    """A report that cannot be written or read."""


class NotInReportError(AuditError, KeyError):
    """A layer, unit, kind of pictures or table that a stored report does not have."""

    def __str__(self) -> str:
        return str(self.args[0])  # a KeyError would put it in quotes


def without_labels() -> NotApplicable:
    """Why nothing can be said that needs labels."""
    return NotApplicable("no picture has a label: sort them into a folder per class, or let the factory return labels")


def nearest(asked: str, there_is: Sequence[str]) -> str:
    """`; did you mean "x"?` for the closest of the names there are, else a list of them, else nothing."""
    close = get_close_matches(asked, there_is, n=1, cutoff=0.5)
    if close:
        return f'; did you mean "{close[0]}"?'
    shown = ", ".join(list(there_is)[:12]) + (" ..." if len(there_is) > 12 else "")
    return f"; there is: {shown}" if shown else ""
