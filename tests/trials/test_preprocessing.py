"""Other ways of showing pictures: the right one is found, a right configuration stays the best, counts are counts."""

import numpy as np
import pytest
import torch
from torch import nn

from audit.errors import Unavailable
from audit.events import Silence
from audit.records import Table
from audit.trials.preprocessing import STAGES, preprocessing
from audit.trials.ways import configured, sizes, ways
from tests.trials.nets import Pictures, Strongest, colours, demo, model


def shown(of, images: Pictures, labels=None, batch: int = 16) -> Table:
    return preprocessing(of, images, images.labels if labels is None else labels, Silence(), batch)


def row(table: Table, variant: str) -> dict:
    (place,) = np.flatnonzero(table.columns["variant"] == variant)
    return {name: column[place] for name, column in table.columns.items()}


def test_the_normalisation_of_training_is_found_where_another_is_configured():
    table = shown(*demo(mean=0.0, std=1.0))
    found = row(table, "ImageNet's mean and std")
    assert found["top1"] > table.columns["top1"][0] + 0.2
    assert found["better"] - found["worse"] > 0.2 * found["pictures"]
    assert found["change"] == "mean = [0.485, 0.456, 0.406], std = [0.229, 0.224, 0.225]"


def test_a_right_configuration_is_not_beaten():
    columns = shown(*demo(mean=0.5, std=0.25)).columns
    assert columns["kind"][0] == "as configured"
    assert columns["top1"][0] > 0.9
    assert (columns["better"] - columns["worse"]).max() <= 1


def test_a_network_that_wants_blue_first_is_found():
    table = shown(model(Strongest(order=(2, 1, 0)), (3, 6, 6)), colours(60))
    assert table.columns["top1"][0] == pytest.approx(1 / 3, abs=0.02)
    found = row(table, "as configured, blue first")
    assert found["top1"] == 1
    assert (found["better"], found["worse"]) == (40, 0)


def test_better_and_worse_are_counted_picture_by_picture():
    of, images = demo(mean=0.5, std=0.25, count=16)
    table = shown(of, images)
    right = {}
    for name, mean, std in (
        ("as configured", 0.5, 0.25),
        ("pixels of 0..1", 0.0, 1.0),
        ("half the contrast", 0.5, 0.5),
    ):
        right[name] = []
        for index in range(len(images)):
            pixels = torch.from_numpy(np.asarray(images.picture(index)).transpose(2, 0, 1).copy())[None].float() / 255
            right[name].append(int(of.network((pixels - mean) / std).argmax()) == images.labels[index])
    for name in ("pixels of 0..1", "half the contrast"):
        pairs = list(zip(right[name], right["as configured"], strict=True))
        found = row(table, name)
        assert found["better"] == pairs.count((True, False))
        assert found["worse"] == pairs.count((False, True))
        assert found["top1"] == sum(right[name]) / 16


def test_no_more_pictures_are_shown_than_the_stages_say():
    columns = shown(model(Strongest(order=(2, 1, 0)), (3, 6, 6)), colours(450)).columns
    assert columns["pictures"].max() == STAGES[-1]
    assert set(columns["pictures"]) <= set(STAGES)
    assert columns["pictures"][columns["better"].argmax()] == STAGES[-1]


def test_the_batch_does_not_change_the_table():
    of, images = demo(mean=0.0, std=1.0, count=40)
    small, large = shown(of, images, batch=7), shown(of, images, batch=40)
    for name in ("variant", "pictures", "better", "worse", "top1"):
        assert small.columns[name].tolist() == large.columns[name].tolist()
    np.testing.assert_allclose(small.columns["confidence"], large.columns["confidence"], rtol=1e-5)


def test_without_labels_there_is_no_accuracy():
    columns = shown(model(Strongest(), (3, 6, 6)), colours(20), labels={}).columns
    assert np.isnan(columns["top1"]).all()
    assert (columns["labelled"] == 0).all()
    assert np.isfinite(columns["confidence"]).all()


def test_sizes_that_the_network_does_not_take_are_left_out():
    rigid = nn.Sequential(nn.Flatten(), nn.Linear(3 * 6 * 6, 3))
    flexible = shown(model(Strongest(), (3, 6, 6)), colours(20)).columns["variant"].tolist()
    fixed = shown(model(rigid, (3, 6, 6)), colours(20)).columns["variant"].tolist()
    assert "input of 5 x 5" in flexible
    assert not [name for name in fixed if name.startswith("input of")]
    assert "short side of 7, then cropped" in fixed


def test_pictures_that_come_as_tensors_have_one_size():
    images = Pictures(tuple(torch.rand(3, 6, 6) for _ in range(9)), dict.fromkeys(range(9), 0))
    assert "size" not in shown(model(Strongest(), (3, 6, 6)), images).columns["kind"]


def test_damaged_pictures_are_left_out():
    images = colours(20)
    spoiled = Pictures(images.every, images.labels, frozenset({0, 7}))
    assert shown(model(Strongest(), (3, 6, 6)), spoiled).columns["pictures"][0] == 18
    with pytest.raises(Unavailable, match="none of the pictures"):
        shown(model(Strongest(), (3, 6, 6)), Pictures(images.every, images.labels, frozenset(range(20))))


def test_outputs_that_are_not_finite_are_never_right():
    class Broken(Strongest):
        def forward(self, images):
            return super().forward(images) * torch.tensor([1.0, torch.nan, 1.0])

    columns = shown(model(Broken(), (3, 6, 6)), colours(20)).columns
    assert (columns["top1"] == 0).all()
    assert np.isnan(columns["confidence"]).all()


def test_outputs_that_are_maps_are_no_classes():
    with pytest.raises(Unavailable, match="are maps"):
        shown(model(nn.Conv2d(3, 4, 3), (3, 6, 6)), colours(20))


def test_no_way_repeats_the_configured_one():
    section = model(Strongest(), (3, 6, 6), mean=0.5, std=0.25).section
    others = [*ways(section), *sizes(section)]
    assert len({way.name for way in others}) == len(others)
    assert not [way for way in others if way.kind == "normalisation" and way.like(configured(section))]
    assert all(way.change for way in others)


def test_swapped_colours_keep_their_own_mean():
    pixels = torch.rand(2, 3, 4, 4)
    section = model(Strongest(), (3, 4, 4)).section.model_copy(update={"mean": (0.1, 0.2, 0.3), "std": (1.0, 2.0, 4.0)})
    (way,) = [way for way in ways(section) if way.swapped]
    expected = (pixels[:, [2, 1, 0]] - torch.tensor([0.3, 0.2, 0.1])[:, None, None]) / torch.tensor([4.0, 2.0, 1.0])[
        :, None, None
    ]
    torch.testing.assert_close(way.shown(pixels), expected)
