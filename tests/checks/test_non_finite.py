"""NaN and infinity are found wherever they are, and named."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

from audit.checks.evidence import Evidence
from audit.checks.non_finite import NonFinite
from audit.demo.network import trained
from audit.errors import Unavailable
from audit.records import Outline
from tests.weighed import weighed


def shown(broken: Mapping[str, float], **units: list[float]) -> Evidence:
    """The demo with the first number of each of these parameters replaced, and counts of pictures per unit."""
    network = deepcopy(trained()).requires_grad_(False)
    for name, value in broken.items():
        network.get_parameter(name).flatten()[0] = value
    return replace(weighed(network), layers={layer: {"non_finite": np.array(of)} for layer, of in units.items()})


def test_finite_weights_and_activations_pass() -> None:
    judgement = NonFinite().judge(shown({}, relu1=[0.0, 0.0]))
    assert judgement.passed
    assert judgement.message == "all weights are finite; the activations of 1 layer too"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_each_parameter_that_is_not_finite_is_named(value: float) -> None:
    judgement = NonFinite().judge(shown({"conv2.weight": value, "fc.bias": value}, relu1=[0.0]))
    assert (judgement.passed, judgement.measured) == (False, 2.0)
    assert [(finding.layer, finding.unit) for finding in judgement.findings] == [("conv2", None), ("fc", None)]
    assert "1 of 38400 numbers of weight" in judgement.findings[0].message
    assert judgement.message == "2 weights (of conv2) and 0 units are NaN or infinite"


def test_units_that_are_not_finite_are_found_where_they_are_first() -> None:
    judgement = NonFinite().judge(shown({}, relu1=[0.0, 3.0], relu2=[1.0]))
    assert not judgement.passed
    assert [(finding.layer, finding.unit, finding.measured) for finding in judgement.findings] == [
        ("relu1", 1, 3.0),
        ("relu2", 0, 1.0),
    ]
    assert judgement.message.endswith("first in relu1, unit 1")


def test_a_count_that_is_not_a_number_never_passes() -> None:
    assert not NonFinite().judge(shown({}, relu1=[float("nan")])).passed


def test_running_statistics_are_looked_at_too() -> None:
    network = torch.nn.BatchNorm2d(3)
    network.running_var[1] = torch.nan  # type: ignore[index]
    judgement = NonFinite().judge(weighed(network))
    assert [finding.message for finding in judgement.findings] == ["1 of 3 numbers of running_var are NaN or infinite"]


def test_without_the_weights_it_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="parameters"):
        NonFinite().judge(Evidence(Outline((3, 8, 8), ()), 0))
