"""Running statistics that are not those of the pictures are found, from the outputs of real normalisations."""

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn

from audit.checks.evidence import Evidence
from audit.checks.normalisation_drift import NormalisationDrift
from audit.errors import NotApplicable, Unavailable
from audit.records import Layer, Outline, Table

UNITS = 8
OUTLINE = Outline((3, 32, 32), (Layer("bn1", "BatchNorm2d", (UNITS, 8, 8), 16, False, None, None),))


def trained(eps: float = 1e-5) -> nn.BatchNorm2d:
    """With the statistics of `inputs`, and a scale and a shift of each unit, some of them negative."""
    generator = torch.Generator().manual_seed(2)
    norm = nn.BatchNorm2d(UNITS, eps=eps, momentum=None)
    norm(inputs(0))
    norm.weight.data = torch.randn(UNITS, generator=generator)
    norm.bias.data = torch.randn(UNITS, generator=generator)
    return norm.eval().requires_grad_(False)


def inputs(seed: int, shift: float = 0.0, times: float = 1.0) -> Float[Tensor, "image unit y x"]:
    """Units of different mean and spread; shifted in standard deviations, or spread so many times as wide."""
    spread = torch.linspace(0.01, 30, UNITS)[:, None, None]
    noise = torch.randn(400, UNITS, 8, 8, generator=torch.Generator().manual_seed(seed))
    return spread * (times * noise + shift + torch.linspace(-3, 3, UNITS)[:, None, None])


def shown(
    norms: dict[str, nn.BatchNorm2d], outputs: dict[str, Float[Tensor, "image unit y x"]], images: int = 400
) -> Evidence:
    measured = {
        name: {
            "mean": maps.double().mean((0, 2, 3)).numpy(),
            "std": maps.double().std((0, 2, 3), correction=0).numpy(),
        }
        for name, maps in outputs.items()
    }
    columns = {
        name: np.concatenate([getattr(norm, name).double().numpy() for norm in norms.values()])
        for name in ("weight", "bias", "running_mean", "running_var")
    }
    columns["layer"] = np.repeat(list(norms), UNITS)
    columns["unit"] = np.tile(np.arange(UNITS), len(norms))
    columns["eps"] = np.repeat([norm.eps for norm in norms.values()], UNITS)
    return Evidence(OUTLINE, images, layers=measured, tables={"normalisations": Table("normalisations", columns)})


def seen(norm: nn.BatchNorm2d, maps: Float[Tensor, "image unit y x"]) -> Evidence:
    return shown({"bn1": norm}, {"bn1": norm(maps)})


def test_other_pictures_of_the_same_kind_do_not_drift() -> None:
    judgement = NormalisationDrift().judge(seen(trained(), inputs(1)))
    assert judgement.passed
    assert judgement.measured < 0.03
    assert judgement.findings == ()


@pytest.mark.parametrize(("shift", "times"), [(0.5, 1.0), (-1.0, 1.0), (0.0, 2.0), (0.0, 0.5), (0.3, 1.3)])
@pytest.mark.parametrize("eps", [1e-5, 0.1])
def test_the_drift_is_what_was_planted(shift: float, times: float, eps: float) -> None:
    judgement = NormalisationDrift().judge(seen(trained(eps), inputs(1, shift, times)))
    assert judgement.measured == pytest.approx(np.hypot(shift, np.log(times)), abs=0.03)
    assert not judgement.passed
    assert [finding.layer for finding in judgement.findings] == ["bn1"]


def test_statistics_that_were_reset_are_called_so() -> None:
    norm = trained()
    norm.reset_running_stats()
    judgement = NormalisationDrift().judge(seen(norm, inputs(1)))
    assert not judgement.passed
    assert "never updated, or reset" in judgement.findings[0].message


def test_the_layer_that_drifts_most_decides_and_the_first_is_named() -> None:
    norms = {"bn1": trained(), "bn2": trained(), "bn3": trained()}
    shifts = {"bn1": 0.0, "bn2": 0.4, "bn3": 2.0}
    evidence = shown(norms, {name: norm(inputs(1, shifts[name])) for name, norm in norms.items()})
    judgement = NormalisationDrift().judge(evidence)
    assert judgement.measured == pytest.approx(2.0, abs=0.05)
    assert [finding.layer for finding in judgement.findings] == ["bn2", "bn3"]
    assert "the first of them bn2" in judgement.message
    assert NormalisationDrift(at_most=2.5).judge(evidence).passed


def test_units_without_a_scale_are_left_out() -> None:
    norm = trained()
    norm.weight[:3] = torch.tensor([0.0, 1e-12, -1e-9])
    assert NormalisationDrift().judge(seen(norm, inputs(1))).passed
    norm.weight[:] = 0
    with pytest.raises(Unavailable, match="scale"):
        NormalisationDrift().judge(seen(norm, inputs(1)))


def test_an_input_that_never_changes_and_never_did_does_not_drift() -> None:
    norm = trained()
    norm.running_mean[:], norm.running_var[:] = 0, 0
    assert NormalisationDrift().judge(seen(norm, torch.zeros(400, UNITS, 8, 8))).passed


@pytest.mark.parametrize("where", ["weight", "bias", "running_mean", "running_var"])
def test_what_is_not_a_number_never_passes(where: str) -> None:
    norm = trained()
    getattr(norm, where)[:] = torch.nan
    judgement = NormalisationDrift().judge(seen(norm, inputs(1)))
    assert not judgement.passed
    assert np.isnan(judgement.measured)
    assert [finding.layer for finding in judgement.findings] == ["bn1"]


def test_a_layer_of_no_numbers_is_not_hidden_by_one_that_drifts_little() -> None:
    broken = trained()
    broken.running_mean[:] = torch.nan
    norms = {"bn1": trained(), "bn2": broken, "bn3": trained()}
    judgement = NormalisationDrift().judge(shown(norms, {name: norm(inputs(1)) for name, norm in norms.items()}))
    assert not judgement.passed
    assert [finding.layer for finding in judgement.findings] == ["bn2"]


def test_a_model_without_normalisations_is_not_judged() -> None:
    empty = shown({"bn1": trained()}, {}).tables["normalisations"].columns
    table = Table("normalisations", {name: column[:0] for name, column in empty.items()})
    with pytest.raises(NotApplicable, match="no batch normalisation"):
        NormalisationDrift().judge(Evidence(OUTLINE, 400, tables={"normalisations": table}))


def test_few_pictures_and_layers_that_were_not_measured_are_unavailable() -> None:
    norm = trained()
    with pytest.raises(Unavailable, match="99 pictures"):
        NormalisationDrift().judge(shown({"bn1": norm}, {"bn1": norm(inputs(1))}, images=99))
    with pytest.raises(Unavailable, match="bn1"):
        NormalisationDrift().judge(shown({"bn1": norm}, {}))


def test_normalisations_that_were_not_measured_are_counted() -> None:
    norms = {"bn1": trained(), "bn2": trained()}
    judgement = NormalisationDrift().judge(shown(norms, {"bn1": norms["bn1"](inputs(1))}))
    assert judgement.passed
    assert "1 more normalisations were not measured" in judgement.message
