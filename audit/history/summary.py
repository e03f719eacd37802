"""The folder of a run -> what the index says of it: a thousandth of the report, read once."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from audit.errors import AuditError
from audit.records import REFUSED, Outcome, Report
from audit.render.pages.verdicts import headline
from audit.render.plain import in_a_line
from audit.render.wording import DASH
from audit.store import read_verdicts

DEAD = "dead_units"
"""Share of the measured units of rectified layers that never fire, among a run's numbers."""

SAID = 12
"""Refused items of which the message is kept."""

LENGTH = 300
"""Characters of a text that are kept."""

KEPT = (
    *("started", "seconds", "device", "checkpoint", "checkpoint digest", "weights digest", "data digest"),
    "configuration",
)
"""Names of the provenance that are kept."""


@dataclass(frozen=True)
class Summary:
    """A run in a few numbers and words; `outcomes[i]` is that of `items[i]`, an id. `said` are messages by id."""

    audit: str
    outcome: Outcome
    headline: str
    items: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    said: Mapping[str, str]
    numbers: Mapping[str, float]
    provenance: Mapping[str, str]

    @property
    def verdicts(self) -> dict[str, tuple[str, Outcome]]:
        """Id and outcome of each item, by its id without the file, which depends on from where it is seen."""
        return {
            item.partition("::")[2]: (item, outcome) for item, outcome in zip(self.items, self.outcomes, strict=True)
        }

    def digest(self, of: str) -> str:
        """A digest of the provenance; empty where there is none, or a sentence stands in its place."""
        found = self.provenance.get(f"{of} digest", "")
        return found if re.fullmatch("[0-9a-f]{16,}", found) else ""

    @property
    def started(self) -> datetime | None:
        """When it was, if it says so."""
        try:
            said = datetime.fromisoformat(self.provenance.get("started", ""))
        except ValueError:
            return None
        return said.astimezone(UTC) if said.tzinfo else said.replace(tzinfo=UTC)

    @property
    def when(self) -> str:
        """`2026-01-17 09:30:00 UTC`; where that is no time, what the run says."""
        started = self.started
        return f"{started:%Y-%m-%d %H:%M:%S} UTC" if started else self.provenance.get("started", "") or DASH


def summarised(folder: Path) -> Summary | str:
    """What is known of a run; else, in a sentence, why it cannot be read."""
    try:
        return _summary(read_verdicts(folder))
    except AuditError as error:
        return in_a_line(str(error).replace(f" in {folder}", "").replace(f"{folder}{os.sep}", ""))
    except Exception as error:  # a file of nobody knows whom: whatever is wrong with it hides no other run
        return in_a_line(f"the report is damaged ({type(error).__name__}: {error}): run the audit again")


def _summary(report: Report) -> Summary:
    refused = [verdict for verdict in report.verdicts if verdict.outcome in REFUSED]
    return Summary(
        audit=in_a_line(report.audit, LENGTH),
        outcome=report.outcome,
        headline=headline(report),
        items=tuple(verdict.item.id for verdict in report.verdicts),
        outcomes=tuple(verdict.outcome for verdict in report.verdicts),
        said={verdict.item.id: in_a_line(verdict.message, LENGTH) for verdict in refused[:SAID]},
        numbers={str(name): float(value) for name, value in report.numbers.values.items()} | _dead(report),
        provenance={name: in_a_line(report.provenance[name], LENGTH) for name in KEPT if name in report.provenance},
    )


def _dead(report: Report) -> dict[str, float]:
    rectified = {layer.name for layer in report.outline.layers if layer.rectifier}
    shares = [scalars.columns.get("share_of_images") for scalars in report.scalars if scalars.layer in rectified]
    known = np.concatenate([share[np.isfinite(share)] for share in shares if share is not None] or [np.zeros(0)])
    return {DEAD: float((known == 0).mean())} if len(known) else {}
