"""Units that say what another says are found as groups, from what the pass measures; similar ones are healthy."""

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from audit.checks.duplicate_units import SAMPLED, DuplicateUnits
from audit.checks.evidence import Evidence
from audit.errors import Unavailable
from audit.records import Layer, Outline
from audit.stream.correlation import POSITIONS, Correlation
from audit.stream.firing import Firing
from audit.stream.moments import Moments
from audit.stream.reducer import Activations

UNITS = 6


def layer(kind: str = "ReLU") -> Layer:
    return Layer("layer", kind, (UNITS, 4, 4), 0, kind == "ReLU", None, None)


def measured(maps: Float[Tensor, "image unit y x"], kind: str = "ReLU") -> Evidence:
    """What the check is shown of such activations."""
    batch = Activations(maps, torch.arange(len(maps)))
    columns = {}
    for reducer in (Moments(), Firing(), Correlation()):
        reducer.update(batch)
        columns |= reducer.compute("layer").columns
    return Evidence(Outline((3, 32, 32), (layer(kind),)), len(maps), layer(kind), columns)


def maps(images: int = 200) -> Float[Tensor, "image unit y x"]:
    return torch.randn(images, UNITS, 4, 4, generator=torch.Generator().manual_seed(0)).relu()


def test_correlations_are_taken_at_as_many_positions_as_the_check_counts() -> None:
    assert SAMPLED == POSITIONS


def test_independent_units_are_no_duplicates() -> None:
    judgement = DuplicateUnits().judge(measured(maps()))
    assert judgement.passed
    assert judgement.measured == 0


def test_copies_are_found_whatever_their_scale_and_name_their_original() -> None:
    shown = maps()
    shown[:, 3], shown[:, 5] = 7 * shown[:, 1], 0.1 * shown[:, 1]
    judgement = DuplicateUnits().judge(measured(shown))
    assert not judgement.passed
    assert judgement.measured == pytest.approx(200 / UNITS)
    assert [finding.unit for finding in judgement.findings] == [3, 5]
    assert all("unit 1 " in finding.message for finding in judgement.findings)


def test_two_groups_are_told_apart() -> None:
    shown = maps()
    shown[:, 4], shown[:, 5], shown[:, 3] = shown[:, 0], shown[:, 2], shown[:, 2]
    findings = DuplicateUnits().judge(measured(shown)).findings
    named = [(finding.unit, finding.message.split(" (")[0]) for finding in findings]
    assert named == [(3, "alike unit 2"), (4, "alike unit 0"), (5, "alike unit 2")]


def test_opposite_units_are_duplicates_where_nothing_is_rectified() -> None:
    shown = torch.randn(200, UNITS, 4, 4, generator=torch.Generator().manual_seed(1)).tanh()
    shown[:, 2] = -shown[:, 0]
    assert [finding.unit for finding in DuplicateUnits().judge(measured(shown, "Tanh")).findings] == [2]


def test_near_duplicates_are_found_by_a_smaller_correlation() -> None:
    shown = maps()
    shown[:, 3] = shown[:, 1] + 0.3 * shown[:, 0]
    evidence = measured(shown)
    assert DuplicateUnits().judge(evidence).passed
    assert not DuplicateUnits(min_correlation=0.9).judge(evidence).passed


def test_dead_and_constant_units_are_no_duplicates() -> None:
    shown = maps()
    shown[:, 1:3], shown[:, 4:] = 0, 2
    assert DuplicateUnits().judge(measured(shown)).passed


def test_units_that_are_hardly_ever_on_are_not_compared() -> None:
    shown = maps()
    shown[:, 1:3] = 0
    shown[7, 1:3] = 1
    evidence = measured(shown)
    assert np.abs(evidence.column("correlation")[1:3]) == pytest.approx(1)
    assert DuplicateUnits().judge(evidence).passed
    assert not DuplicateUnits(min_samples=1).judge(evidence).passed


def test_a_unit_that_is_not_finite_never_passes() -> None:
    shown = maps()
    shown[3, 2, 1, 1] = torch.nan
    judgement = DuplicateUnits().judge(measured(shown))
    assert not judgement.passed
    assert [finding.unit for finding in judgement.findings] == [2]


def test_few_pictures_prove_nothing() -> None:
    shown = maps(40)
    shown[:, 3] = shown[:, 1]
    with pytest.raises(Unavailable, match="only 40 pictures"):
        DuplicateUnits().judge(measured(shown))
    assert DuplicateUnits().judge(measured(maps(40))).passed


def test_correlations_that_were_not_measured_are_unavailable() -> None:
    evidence = measured(maps())
    with pytest.raises(Unavailable, match="nearest"):
        DuplicateUnits().judge(Evidence(evidence.outline, 200, evidence.layer, {"std": np.ones(UNITS)}))
