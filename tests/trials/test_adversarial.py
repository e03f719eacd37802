"""Attacks against closed forms: of a linear network the change that turns an answer is known to the last level."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from audit.checks.adversarial_accuracy import EPSILONS as ASKED
from audit.errors import NotApplicable, Unavailable
from audit.events import Silence
from audit.records import Table
from audit.trials.adversarial import EPSILONS, adversarial
from audit.trials.attacks import anywhere, differentiable, fgsm, gradient, odds_against, pgd, random_signs
from tests.trials.nets import Pictures, colours, model

SIDES = (3, 6, 6)
MEAN, STD = 0.25, 0.5


def middling(count: int, seed: int = 2) -> Pictures:
    """Pictures far from black and white, where no attack is clipped."""
    pixels = np.random.default_rng(seed).integers(100, 156, (count, 6, 6, 3), dtype=np.uint8)
    return Pictures(tuple(Image.fromarray(one) for one in pixels))


def tensor(images: Pictures) -> torch.Tensor:
    return torch.from_numpy(np.stack([np.asarray(one) for one in images.every]).transpose(0, 3, 1, 2) / 255).float()


def linear(classes: int = 2) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(108, classes, bias=False)).requires_grad_(False)


def curved() -> nn.Sequential:
    torch.manual_seed(3)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.Tanh(), nn.Flatten(), nn.Linear(128, 24), nn.ReLU(inplace=True), nn.Linear(24, 4)
    )
    for layer in network:
        if hasattr(layer, "weight"):
            layer.weight.data *= 3
    return network


def own_answers(network: nn.Module, images: Pictures) -> Pictures:
    """The same pictures, each with the label that the network gives it."""
    with torch.no_grad():
        answers = network.eval()((tensor(images) - MEAN) / STD).argmax(dim=1).tolist()
    return Pictures(images.every, dict(enumerate(answers)))


def shown(network: nn.Module, images: Pictures, batch: int = 16, seed: int = 5) -> Table:
    made = model(network, SIDES, mean=MEAN, std=STD)
    return adversarial(made, images, images.labels, Silence(), batch, seed)


def of(table: Table, attack: str, column: str = "top1") -> list[float]:
    return table.columns[column][table.columns["attack"] == attack].tolist()


def bounds(network: nn.Sequential, images: Pictures) -> np.ndarray:
    """The change of every pixel at which the answer turns: margin over the 1-norm of the weights."""
    weights = network[1].weight.double().numpy() / STD
    difference = weights[0] - weights[1]
    pixels = tensor(images).double().numpy().reshape(len(images), -1)
    return np.abs((pixels - MEAN) @ difference) / np.abs(difference).sum()


@pytest.mark.parametrize("attack", ["FGSM", "PGD"])
def test_a_linear_network_is_fooled_from_the_analytic_change_on(attack):
    network = linear()
    images = own_answers(network, middling(40))
    pixels, labels = tensor(images), torch.tensor(list(images.labels.values()))
    with differentiable(model(network, SIDES, mean=MEAN, std=STD)) as scored:
        slope, start = gradient(scored, pixels, labels), anywhere(pixels, range(40), 1)
        for share, fooled in ((0.99, False), (1.01, True)):
            for row, bound in enumerate(share * bounds(network, images)):
                one = slice(row, row + 1)
                changed = (
                    fgsm(pixels[one], slope[one], bound)
                    if attack == "FGSM"
                    else pgd(scored, pixels[one], labels[one], bound, start[one])
                )
                with torch.no_grad():
                    assert (int(scored(changed).argmax()) != labels[row]) == fooled, (row, bound)


@pytest.mark.parametrize("attack", ["FGSM", "PGD"])
def test_the_accuracy_of_a_linear_network_is_the_share_of_larger_margins(attack):
    network = linear()
    images = own_answers(network, middling(50))
    table, limits = shown(network, images), bounds(network, images)
    expected = [float((limits > epsilon / 255).mean()) for epsilon in EPSILONS]
    assert of(table, attack) == pytest.approx(expected)
    assert expected == sorted(expected, reverse=True)
    assert 0 < expected[2] < 1
    assert of(table, attack, "right") == [round(50 * share) for share in expected]


def test_noise_of_the_same_size_fools_less():
    network = linear()
    table = shown(network, own_answers(network, middling(50)))
    assert all(noise >= attack for noise, attack in zip(of(table, "noise"), of(table, "FGSM"), strict=True))
    assert of(table, "noise")[3] > of(table, "FGSM")[3] + 0.3
    assert of(table, "noise")[0] == of(table, "FGSM")[0] == of(table, "PGD")[0] == 1


def test_ten_steps_are_at_least_as_strong_as_one():
    network = curved()
    images = own_answers(network, middling(40))
    pixels, labels = tensor(images), torch.tensor(list(images.labels.values()))
    with differentiable(model(network, SIDES, mean=MEAN, std=STD)) as scored:
        slope, start = gradient(scored, pixels, labels), anywhere(pixels, range(40), 1)
        for epsilon in (2 / 255, 8 / 255):
            with torch.no_grad():
                one = odds_against(scored(fgsm(pixels, slope, epsilon)), labels)
            ten = odds_against(scored(pgd(scored, pixels, labels, epsilon, start)).detach(), labels)
            assert float(ten.mean()) > float(one.mean())
    table = shown(network, images)
    assert all(pgd <= fgsm for pgd, fgsm in zip(of(table, "PGD"), of(table, "FGSM"), strict=True))
    assert of(table, "PGD") == sorted(of(table, "PGD"), reverse=True)


def test_pgd_agrees_with_its_definition():
    network = curved()
    images = own_answers(network, colours(3))
    pixels, labels = tensor(images), torch.tensor(list(images.labels.values()))
    start, epsilon = anywhere(pixels, range(3), 7), 16 / 255
    with differentiable(model(network, SIDES, mean=MEAN, std=STD)) as scored:
        made = pgd(scored, pixels, labels, epsilon, start)
    for row in range(3):
        clean = pixels[row].flatten().tolist()
        now = [min(max(a + epsilon * b, 0), 1) for a, b in zip(clean, start[row].flatten().tolist(), strict=True)]
        for _ in range(10):
            picture = torch.tensor(now).reshape(1, *SIDES).requires_grad_()
            loss = -((network((picture - MEAN) / STD)).double().log_softmax(dim=1))[0, labels[row]]
            slope = torch.autograd.grad(loss, picture)[0].flatten().tolist()
            now = [
                min(max(b + epsilon / 4 * float(np.sign(g)), a - epsilon, 0), a + epsilon, 1)
                for a, b, g in zip(clean, now, slope, strict=True)
            ]
        assert made[row].flatten().tolist() == pytest.approx(now, abs=1e-6)


def test_attacked_pictures_are_pictures_and_near():
    network = curved()
    pixels = torch.rand(8, *SIDES, generator=torch.Generator().manual_seed(0)).round(decimals=1)  # with 0 and 1
    labels, epsilon = torch.arange(8) % 4, 4 / 255
    with differentiable(model(network, SIDES, mean=MEAN, std=STD)) as scored:
        slope = gradient(scored, pixels, labels)
        start = anywhere(pixels, range(8), 3)
        for changed in (fgsm(pixels, slope, epsilon), pgd(scored, pixels, labels, epsilon, start)):
            assert float(changed.min()) >= 0
            assert float(changed.max()) <= 1
            assert float((changed - pixels).abs().max()) <= epsilon + 1e-6
            assert not torch.equal(changed, pixels)
    signs = random_signs(pixels, range(8), 3)
    assert set(signs.unique().tolist()) == {-1.0, 1.0}


def test_the_same_seed_gives_the_same_table_whatever_the_batch():
    network = curved()
    images = own_answers(network, middling(12))
    first, again, other = shown(network, images), shown(network, images, batch=5), shown(network, images, seed=6)
    assert first.columns["right"].tolist() == again.columns["right"].tolist()
    np.testing.assert_allclose(first.columns["confidence"], again.columns["confidence"], rtol=1e-5)
    assert first.columns["confidence"].tolist() != other.columns["confidence"].tolist()


def test_outputs_that_are_probabilities_are_attacked_as_their_logits_are():
    network = linear(3)
    images = own_answers(network, middling(20))
    pixels, labels = tensor(images), torch.tensor(list(images.labels.values()))
    slopes = []
    for layers in ([], [nn.Softmax(dim=1)]):
        with differentiable(model(nn.Sequential(*network, *layers), SIDES, mean=MEAN, std=STD)) as scored:
            slopes.append(gradient(scored, pixels, labels))
    np.testing.assert_allclose(slopes[0], slopes[1], rtol=1e-3, atol=1e-6)


def test_a_network_that_is_certain_has_a_gradient_too():
    network = linear()
    images = own_answers(network, middling(30))
    before = shown(network, images)
    network[1].weight.data *= 1e4
    assert (network((tensor(images) - MEAN) / STD).softmax(dim=1).amax(dim=1) == 1).all()
    table = shown(network, images)
    assert table.columns["flat"][0] == 0
    assert of(table, "FGSM") == of(before, "FGSM")
    assert of(table, "FGSM")[-1] < 0.5


def test_the_odds_are_those_of_the_probability():
    outputs, labels = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)), torch.arange(6) % 4
    for given in (outputs, outputs.softmax(dim=1)):
        for row, odds in enumerate(odds_against(given, labels).tolist()):
            share = float(outputs[row].double().softmax(dim=0)[labels[row]])
            assert odds == pytest.approx(np.log((1 - share) / share), abs=1e-5)


def test_what_cannot_be_attacked_is_unavailable_and_not_robust():
    with pytest.raises(NotApplicable, match="no picture has a label"):
        shown(linear(), middling(5))
    still = linear()
    still[1].weight.data.zero_()
    with pytest.raises(Unavailable, match="no gradient to follow"):
        shown(still, own_answers(still, middling(5)))

    class Rounded(nn.Linear):
        def forward(self, images):
            return super().forward(images).detach()

    with pytest.raises(Unavailable, match="the outputs have no gradient"):
        shown(nn.Sequential(nn.Flatten(), Rounded(108, 2)), Pictures(middling(5).every, dict.fromkeys(range(5), 0)))


def test_wrong_answers_and_damaged_pictures_are_counted_as_they_are():
    network = linear()
    right = own_answers(network, middling(12))
    labels = {**right.labels, **{row: 1 - right.labels[row] for row in (0, 5, 7)}}
    table = shown(network, Pictures(right.every, labels, damaged=frozenset({3})))
    assert set(table.columns["pictures"].tolist()) == {11}
    assert {of(table, attack, "right")[0] for attack in ("noise", "FGSM", "PGD")} == {8}
    with pytest.raises(Unavailable, match="none of the labelled pictures"):
        shown(network, Pictures(right.every, {3: 0, 4: 1}, damaged=frozenset({3, 4})))


def test_the_check_asks_for_changes_that_are_tried():
    assert (0.0, *ASKED) == EPSILONS
