"""The demo's network learns, and the weights that ship with it have learned."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from audit.demo.generator import CLASSES, pictures
from audit.demo.network import WEIGHTS, network, trained
from audit.demo.train import Recipe, accuracy, batches, main, ship, silent_channels, smooth_share, train
from audit.model.filters import describe


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Small steps take several times as long where threads wait for busy cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


FEW = Recipe(steps=6, batch=8, warmup=2, conv1_start=0.03)


def test_a_few_steps_lower_the_loss() -> None:
    _, losses = train(Recipe(steps=40, batch=24, rate=0.1, warmup=2, conv1_start=0.03), seed=0)
    assert len(losses) == 40
    assert sum(losses[-8:]) / 8 < sum(losses[:8]) / 8 - 0.1


def test_the_seed_alone_decides_what_is_learned() -> None:
    torch.manual_seed(1)
    first, losses = train(FEW, seed=3)
    torch.manual_seed(2)
    second, again = train(FEW, seed=3)
    other, _ = train(FEW, seed=4)
    assert losses == again
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))


def test_training_leaves_the_global_random_state_as_it_was() -> None:
    before = torch.random.get_rng_state()
    train(Recipe(steps=1, batch=2, warmup=1), seed=0)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_training_that_diverges_is_an_error() -> None:
    with pytest.raises(FloatingPointError, match=r"the loss is (nan|inf) at step \d+; lower Recipe.rate"):
        train(Recipe(steps=30, batch=4, rate=1e6, warmup=1), seed=0)


def test_batches_are_the_normalised_pictures_in_order_and_all_of_them() -> None:
    data = pictures(7)
    images = torch.cat([images for images, _ in batches(data, 3)])
    labels = torch.cat([labels for _, labels in batches(data, 3)])
    for i in range(7):
        picture, label = data[i]
        assert torch.allclose(images[i], (torch.from_numpy(picture).permute(2, 0, 1) / 255 - 0.5) / 0.25)
        assert labels[i] == label
    assert len(labels) == 7


def test_the_shipped_weights_recognise_more_than_nine_in_ten_new_pictures() -> None:
    assert accuracy(trained(), pictures(500, seed=20260)) > 0.9


def test_accuracy_agrees_with_one_picture_at_a_time() -> None:
    model, data = trained(), pictures(60, seed=8)
    right = 0
    for image, label in data:
        scores = model((torch.from_numpy(image).permute(2, 0, 1)[None] / 255 - 0.5) / 0.25)
        right += scores[0].tolist().index(max(scores[0].tolist())) == label
    assert accuracy(model, data) == right / 60


def test_most_shipped_filters_are_smoother_than_their_shuffled_nulls_and_untrained_ones_are_not() -> None:
    assert smooth_share(trained()) >= 0.75
    torch.manual_seed(0)
    assert smooth_share(network()) < 0.1


def test_the_shipped_filters_hold_fine_and_coarse_edges_of_all_orientations_and_colour() -> None:
    measured = describe(trained().get_parameter("conv1.weight").detach().numpy())
    edges = measured["is_colour"] == 0
    fine, coarse = measured["frequency"] > 0.15, measured["frequency"] < 0.12
    for band in (fine, coarse):
        turned = measured["orientation"][edges & band]
        assert {int(quarter) for quarter in ((turned + 22.5) % 180) // 45} == {0, 1, 2, 3}
    assert (~edges).sum() >= 3


def test_no_shipped_channel_is_silent() -> None:
    silent = silent_channels(trained(), pictures(500))
    assert silent == {"relu1": 0, "relu2": 0, "relu3": 0}


def test_a_channel_that_never_fires_is_counted() -> None:
    model = trained()
    with torch.no_grad():
        model.get_parameter("conv2.bias")[:3] = -1e3
    assert silent_channels(model, pictures(20))["relu2"] >= 3


def test_the_shipped_file_is_small_and_says_where_it_came_from() -> None:
    assert WEIGHTS.stat().st_size < 1_000_000
    with safe_open(WEIGHTS, framework="pt") as file:
        facts = file.metadata()
    assert float(facts["accuracy"]) > 0.9
    assert set(facts) == {"accuracy", "smooth_share", "seed", "steps"}


def test_the_network_is_small_and_gives_a_score_per_class() -> None:
    model = network()
    assert sum(value.numel() for value in model.parameters()) < 200_000
    assert model(torch.zeros(2, 3, 64, 64)).shape == (2, len(CLASSES))
    assert network(classes=5)(torch.zeros(1, 3, 64, 64)).shape == (1, 5)


def test_weights_that_learned_too_little_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="not written: shipped weights need"):
        main(["--steps", "2", "--out", str(tmp_path / "weights.safetensors")])
    assert list(tmp_path.iterdir()) == []


def test_good_weights_are_written_with_their_facts(tmp_path: Path) -> None:
    ship(trained(), tmp_path / "weights.safetensors", seed=0, steps=9)
    with safe_open(tmp_path / "weights.safetensors", framework="pt") as file:
        facts = file.metadata()
        assert float(facts["accuracy"]) > 0.9
        assert (facts["seed"], facts["steps"]) == ("0", "9")
        assert torch.equal(file.get_tensor("fc.weight"), trained().get_parameter("fc.weight"))
