"""Reports -> Markdown for a step's summary or a pull request's comment: no longer than it may be, the worst first.

Text of strangers stands in <code>, every character that Markdown or HTML could read as its entity: so it is shown as it
is in tables too, makes no link, and calls nobody by an @.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from audit.records import REFUSED, Report, Verdict
from audit.render.pages.verdicts import FINDINGS, ICONS, counts, headline
from audit.render.plain import in_a_line
from audit.render.ranked import ranked
from audit.render.wording import with_unit
from audit.words import plural

SUMMARY, COMMENT = 900_000, 65_000
"""Bytes that a step's summary and a comment may have; GitHub takes 1 MiB and 65,536 characters."""

FOR_THE_NOTE = 300
"""Bytes that are kept for saying what was left out."""

Part = Literal["model", "refused item", "waived item", "finding line", "skipped item", "passed item"]
ORDER: tuple[Part, ...] = get_args(Part)
"""What is left out last comes first."""

MEASURED = "| | item | what was found | measured | needed |\n|---|---|---|---|---|\n"
HEADS: dict[Part, str] = {
    "model": "",
    "refused item": MEASURED,
    "waived item": "| | waived item | what was found | why it is let pass | by, until |\n|---|---|---|---|---|\n",
    "finding line": "",
    "skipped item": "| | skipped item | why |\n|---|---|---|\n",
    "passed item": f"<details><summary>What passed</summary>\n\n{MEASURED}",
}
FEET: dict[Part, str] = {part: "\n</details>\n\n" if part == "passed item" else "\n" for part in ORDER}


@dataclass(frozen=True)
class Line:
    """A line of a part of what is said of one model, the place of whose report is `of`."""

    of: int
    part: Part
    text: str


def markdown(reports: Sequence[Report], most: int = SUMMARY) -> str:
    """What is most important of all reports, in at most `most` bytes of UTF-8; says what was left out."""
    lines = sorted(_lines(reports), key=lambda line: ORDER.index(line.part))
    kept = _fitting(lines, most)
    if len(kept) < len(lines):
        kept = _fitting(lines, most - FOR_THE_NOTE)
    return _note(lines[len(kept) :], most) + "".join(_section(of, kept) for of in range(len(reports)))


def _fitting(lines: Sequence[Line], most: int) -> list[Line]:
    """The first lines that fit, with heads and feet of their parts."""
    kept: list[Line] = []
    size, begun = 0, set()
    for line in lines:
        if (line.of, line.part) not in begun:
            size += len((HEADS[line.part] + FEET[line.part]).encode())
            begun.add((line.of, line.part))
        size += len(line.text.encode())
        if size > most:
            break
        kept.append(line)
    return kept


def _note(lost: Sequence[Line], most: int) -> str:
    if not lost:
        return ""
    count = Counter(line.part for line in lost)
    said = ", ".join(plural(count[part], part) for part in ORDER if count[part])
    return f"**Shortened to {most:,} bytes: {said} left out. The report has them all.**\n\n"


def _section(of: int, kept: Sequence[Line]) -> str:
    parts = ((part, [line.text for line in kept if line.of == of and line.part == part]) for part in ORDER)
    return "".join(f"{HEADS[part]}{''.join(texts)}{FEET[part]}" for part, texts in parts if texts)


def _lines(reports: Sequence[Report]) -> Iterator[Line]:
    """Every line there is; within a part and a model the worst first."""
    for of, report in enumerate(reports):
        yield Line(of, "model", _head(report))
    for of, verdict in ranked(reports):
        if verdict.outcome in REFUSED:
            yield Line(of, "refused item", _measured(verdict))
            yield from (Line(of, "finding line", text) for text in _findings(verdict))
        elif verdict.outcome == "waived":
            yield Line(of, "waived item", _waived(verdict))
        elif verdict.outcome == "skipped":
            yield Line(of, "skipped item", _row(verdict, code(verdict.message)))
        else:
            yield Line(of, "passed item", _measured(verdict))


def _head(report: Report) -> str:
    """Model, headline, counts, and what the run was of."""
    numbers = " · ".join(f"{count.number} {count.outcome}" for count in counts(report))
    made = [f"audit {code(report.audit)}"]
    made += [f"{name} {code(value)}" for name, value in report.provenance.items() if name in ("checkpoint", "started")]
    made += [f"weights {code(report.provenance['weights digest'])}"] if "weights digest" in report.provenance else []
    return f"### {ICONS[report.outcome]} {code(report.model)}: {headline(report)}\n\n{numbers}\n\n{', '.join(made)}\n"


def _measured(verdict: Verdict) -> str:
    measured = "" if verdict.measured is None else code(with_unit(verdict.measured, verdict.unit))
    return _row(verdict, code(verdict.message), measured, _limit(verdict))


def _limit(verdict: Verdict) -> str:
    if verdict.limit is None:
        return ""
    limit, asked = (code(with_unit(value, verdict.unit)) for value in (verdict.limit, verdict.asked))
    return f"{verdict.good or ''} {f'{asked}, {limit} with chance' if verdict.widened else limit}".strip()


def _waived(verdict: Verdict) -> str:
    waiver = verdict.waiver
    why = (code(waiver.reason), f"{code(waiver.owner)}, {code(waiver.expires)}") if waiver else ("", "")
    return _row(verdict, code(verdict.message), *why)


def _row(verdict: Verdict, *cells: str) -> str:
    return (
        "".join(f"| {cell} " for cell in (f"{ICONS[verdict.outcome]} {verdict.outcome}", _id(verdict), *cells)) + "|\n"
    )


def _findings(verdict: Verdict) -> Iterator[str]:
    """The worst, a line for each, under the item's id; how many more there are on the last."""
    if not verdict.findings:
        return
    yield f"\nFindings of {_id(verdict)}:\n\n"
    for finding in verdict.findings[:FINDINGS]:
        yield f"- {code(str(finding))}\n"
    if len(verdict.findings) > FINDINGS:
        yield f"- and {len(verdict.findings) - FINDINGS} more: see the report\n"


def _id(verdict: Verdict) -> str:
    return code(verdict.item.id)


def code(text: str) -> str:
    """Text of strangers as text; an address in it is no link."""
    entities = re.sub(r"[^\w\s.:,()%/=+;?'\"-]|_", lambda found: _entity(found[0]), in_a_line(text))
    apart = re.sub(r":(?=/)|(?<=www)[.]", lambda found: _entity(found[0]), entities, flags=re.IGNORECASE)
    return f"<code>{apart}</code>"


def _entity(character: str) -> str:
    return character if ord(character) > 127 else f"&#{ord(character)};"
