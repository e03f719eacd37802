"""Every policy moves a point as its formula says, each row by itself."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from audit.ascent.presets import Preset
from audit.ascent.rates import Adam, MeanChange, Policy, Probability, Progress, Slope, caption

POINT = torch.randn(3, 2, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
GRADIENT = torch.randn(3, 2, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 0.01
SCORE = torch.tensor([0.1, 0.9, 0.999], dtype=torch.float64)
SQUARE = GRADIENT.flatten(1).square().sum(1)


def moved(policy: Policy, gradients: list[torch.Tensor] | None = None) -> np.ndarray:
    """The point after a step per gradient."""
    point, moments = POINT.clone(), torch.zeros(3, 2, 2, 4, 5, dtype=torch.float64)
    for step, gradient in enumerate(gradients or [GRADIENT]):
        policy.move(point, Slope(gradient, gradient.flatten(1).square().sum(1), SCORE, moments, step))
    return point.numpy()


def along(rates: np.ndarray) -> np.ndarray:
    return POINT.numpy() + rates[:, None, None, None] * GRADIENT.numpy()


@pytest.mark.parametrize(("progress", "highest"), [(2.0, 1e9), (2.0, 3.0)])
def test_progress_is_the_same_at_every_step_up_to_the_highest_rate(progress, highest):
    rates = np.minimum(highest, progress / SQUARE.numpy())
    np.testing.assert_allclose(moved(Progress(progress=progress, max=highest)), along(rates), atol=1e-10)


def test_a_probability_near_1_is_pushed_less():
    wanted = np.minimum(0.05, 0.2 * (1 - SCORE.numpy()))
    policy = Probability(early=0.05, late=0.2, max=1e9)
    np.testing.assert_allclose(moved(policy), along(wanted / SQUARE.numpy()), atol=1e-10)
    assert wanted[0] == 0.05
    assert wanted[2] < 0.001


def test_a_mean_change_is_one_of_pixels():
    change = np.abs(moved(MeanChange(mean_change=2.5)) - POINT.numpy()).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(change, 2.5, rtol=1e-12)


def test_without_a_gradient_a_mean_change_leaves_the_point():
    assert np.array_equal(moved(MeanChange(mean_change=2.5), [torch.zeros_like(GRADIENT)]), POINT.numpy())


def test_adam_is_torchs():
    gradients = [GRADIENT * (step + 1) - 0.002 for step in range(5)]
    point = POINT.clone().requires_grad_()
    optimizer = torch.optim.Adam([point], lr=0.05, betas=(0.8, 0.99), eps=1e-7, maximize=True)
    for gradient in gradients:
        point.grad = gradient.clone()
        optimizer.step()
    found = moved(Adam(adam=0.05, beta1=0.8, beta2=0.99, epsilon=1e-7), gradients)
    np.testing.assert_allclose(found, point.detach().numpy(), rtol=1e-12, atol=1e-12)


POLICIES = [
    ({"progress": 2.0, "max": 1.0}, Progress, "rate 2 / |g|^2 up to 1"),
    ({"early": 0.05, "late": 0.1, "max": 10.0}, Probability, "rate min(0.05, 0.1 (1 - p)) / |g|^2 up to 10"),
    ({"mean_change": 3.0}, MeanChange, "mean change 3"),
    ({"adam": 0.05}, Adam, "adam 0.05"),
]


@pytest.mark.parametrize(("table", "kind", "words"), POLICIES)
def test_a_table_makes_the_policy_that_its_key_names(table, kind, words):
    preset = Preset.model_validate({"steps": 1, "learning_rate": table})
    assert type(preset.learning_rate) is kind
    assert caption(preset.learning_rate) == words
    assert Preset.model_validate(preset.model_dump()) == preset


def test_a_table_of_no_policy_is_told_what_there_is():
    with pytest.raises(ValidationError, match="a table with one of: progress, late, mean_change, adam"):
        Preset.model_validate({"steps": 1, "learning_rate": {"rate": 3.0}})
