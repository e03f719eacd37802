"""Reports of few words for the outputs that have no pictures; what strangers name carries every markup."""

from audit.records import Finding, Item, Outcome, Outline, Report, Verdict, Waiver

HOSTILE = (
    "conv`1|<img src=x onerror=alert(1)>\n::error file=x::owned\r##[error]x [a](https://evil.example/) ``b`` **c** _d_"
    " @someone #1 &lt; ![p](data:image/png;base64,AA==) {0} \x1b[31m\u202e $x$ ~~s~~ www.evil.example \\| </code>\n# h"
)
"""A layer, a label or a message that tries to be something else than text, wherever it is shown."""

WAIVER = Waiver("audit.toml::demo::*", f"known since May {HOSTILE}", "ann@example.org", "2027-01-01", "waivers.toml:3")
WEIGHTS, FILE, CONFIGURATION, DATA = ("0123456789abcdef" * 4, "a" * 64, "b" * 64, "c" * 64)
PROVENANCE = {
    "started": "2026-05-01T12:00:00+00:00",
    "configuration": "audit.toml",
    "configuration digest": CONFIGURATION,
    "checkpoint": "weights.pth",
    "checkpoint digest": FILE,
    "weights digest": WEIGHTS,
    "data digest": DATA,
}


def verdict(
    task: str, outcome: Outcome, message: str = "so it is", layer: str | None = None, **more: object
) -> Verdict:
    """A verdict of the model demo."""
    return Verdict(Item("audit.toml", "demo", layer, task), outcome, message, **more)  # type: ignore[arg-type]


def findings(count: int, layer: str = "conv1") -> tuple[Finding, ...]:
    """Of as many units."""
    return tuple(Finding(layer, unit, f"fires on 0 of {500 + unit} pictures", 0.0) for unit in range(count))


def report(*verdicts: Verdict, model: str = "demo", audit: str = "Fast") -> Report:
    """What a run says that had these verdicts."""
    return Report(audit, model, Outline((3, 64, 64), ()), verdicts, provenance=PROVENANCE)


def of_every_outcome() -> Report:
    """One verdict of each outcome; names and messages are hostile."""
    numbers = {"measured": 8.3, "limit": float("nan"), "good": "at most", "unit": "%"}
    return report(
        verdict("accuracy", "passed", "top-1 accuracy 95 %", measured=95.0, limit=90.0, good="at least", unit="%"),
        verdict("dead-units", "failed", HOSTILE, HOSTILE, findings=findings(2, HOSTILE), line=7, **numbers),
        verdict(HOSTILE, "error", f"Traceback:\n{HOSTILE * 20}", HOSTILE),
        verdict("rare-units", "waived", HOSTILE, "conv2", waiver=WAIVER, findings=findings(1, "conv2")),
        verdict("always-on", "waiver-expired", HOSTILE, "conv2", waiver=WAIVER),
        verdict("calibration", "waiver-unused", HOSTILE, waiver=WAIVER),
        verdict("normalisation-drift", "skipped", f"there is no batch normalisation {HOSTILE}"),
        model=f"demo {HOSTILE}",
        audit=HOSTILE,
    )
