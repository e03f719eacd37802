"""Every kind is planted in a real checkpoint, saved, loaded by the product, and does there what its name says."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from audit.data.preprocess import fit, normalized, unit_range
from audit.model.load import Model
from audit.plan import prepare
from tests.defects.definitions import Place, Planting, definitions
from tests.defects.healthy import Healthy, healthy
from tests.defects.lab import write_audit
from tests.defects.pictures import Labelled, pictures
from tests.defects.recipes import Planted, planted

PICTURES = 60
KINDS = [defect.kind for defect in definitions().defects]


def plantings(kind: str, model: str = "demo") -> list[Planting]:
    return list(definitions().plantings(model, frozenset({kind})))


def of(model: str, kind: str) -> Planting:
    """The first planting of a kind."""
    return next(definitions().plantings(model, frozenset({kind})))


def loaded(planting: Planting, folder: Path) -> tuple[Planted, Model]:
    """Planted, saved, and read by the product from an audit.toml of its own."""
    made = planted(healthy(planting.subject.name), planting)
    prepared = prepare(write_audit(folder, healthy(planting.subject.name), made))
    return made, prepared.subjects[planting.subject.name].model


@torch.inference_mode()
def outputs(model: Model, whole: Labelled) -> Tensor:
    shown = torch.stack([unit_range(fit(whole[index][0], model.section)) for index in range(PICTURES)])
    return torch.as_tensor(model.network(normalized(shown, model.mean, model.std)))


@torch.inference_mode()
def seen(model: Model, place: Place, whole: Healthy) -> Tensor:
    """Of each picture and unit of the place: the largest output before its rectifier, by a hook of the test's own."""
    found: list[Tensor] = []
    handle = model.network.get_submodule(place.holder).register_forward_hook(
        lambda _module, _inputs, maps: found.append(maps.amax((2, 3)))
    )
    for start in range(0, len(whole.pictures), 50):
        chosen = [whole.pictures[index][0] for index in range(start, start + 50)]
        shown = torch.stack([unit_range(fit(picture, model.section)) for picture in chosen])
        model.network(normalized(shown, model.mean, model.std))
    handle.remove()
    return torch.cat(found)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if plantings(kind) and kind != "early"])
def test_every_kind_but_a_training_can_be_planted_where_the_file_says(kind, tmp_path):
    made, model = loaded(of("demo", kind), tmp_path)
    before, after = healthy("demo").state, model.network.state_dict()
    differ = [name for name in before if not torch.equal(before[name], after[name])]
    assert bool(differ) == (of("demo", kind).defect.where not in ("shown", "pictures"))
    for name, value in made.state.items():
        torch.testing.assert_close(after[name], value, equal_nan=True, rtol=0, atol=0)


@pytest.mark.parametrize("planting", plantings("killed"), ids=lambda planting: planting.id)
def test_killed_filters_never_fire_and_are_as_many_as_the_strength(planting, tmp_path):
    made, model = loaded(planting, tmp_path)
    place = planting.subject.places[planting.place]
    dead = (seen(model, place, healthy("demo")) <= 0).all(0)
    was_dead = (healthy("demo").activity(place)[0] <= 0).all(0)
    assert torch.nonzero(dead & ~was_dead).flatten().tolist() == sorted(made.units)
    assert len(made.units) == planting.strength


@pytest.mark.parametrize("planting", plantings("rare"), ids=lambda planting: planting.id)
def test_rare_filters_fire_on_exactly_that_share_of_the_pictures(planting, tmp_path):
    made, model = loaded(planting, tmp_path)
    fired = (seen(model, planting.subject.places[planting.place], healthy("demo")) > 0).sum(0)
    assert fired[list(made.units)].tolist() == [round(planting.strength * 500)] * 4


def test_units_that_are_always_on_are_never_off(tmp_path):
    planting = definitions().planting("demo", "always-on", "conv2", 1.1)
    place = planting.subject.places["conv2"]
    made = planted(healthy("demo"), planting)
    before, after = healthy("demo").state, made.state
    _, lowest = healthy("demo").activity(place)
    added = (after["conv2.bias"] - before["conv2.bias"])[list(made.units)]
    assert (lowest[list(made.units)] + added > 0).all()
    assert (lowest[list(made.units)] < 0).all()


@pytest.mark.parametrize("kind", ["dominated", "half-overflow", "reordered"])
def test_what_is_undone_downstream_leaves_every_output_as_it_was(kind, tmp_path):
    whole = pictures("demo", PICTURES)
    before = outputs(healthy("demo").model, whole)
    for number, planting in enumerate(plantings(kind)):
        _, model = loaded(planting, tmp_path / str(number))
        torch.testing.assert_close(outputs(model, whole), before, atol=1e-4, rtol=1e-4)


def test_the_outputs_of_permuted_labels_are_those_of_the_healthy_model_elsewhere(tmp_path):
    whole = pictures("demo", PICTURES)
    before = outputs(healthy("demo").model, whole)
    wrong = {}
    for number, planting in enumerate(plantings("labels-permuted")):
        _, model = loaded(planting, tmp_path / str(number))
        after = outputs(model, whole)
        torch.testing.assert_close(after.sort(1).values, before.sort(1).values)
        wrong[planting.strength] = sum(not torch.equal(after[:, i], before[:, i]) for i in range(12))
    assert wrong["two swapped"] == 2
    assert wrong["off by one"] == 12
    assert wrong["shuffled"] > 6


def test_another_size_and_normalisation_reach_the_model(tmp_path):
    half = definitions().planting("demo", "size", "", 0.5)
    assert loaded(half, tmp_path / "half")[1].section.input == (3, 32, 32)
    raw = definitions().planting("demo", "normalisation", "", "bytes")
    _, model = loaded(raw, tmp_path / "raw")
    assert model.mean.flatten().tolist() == [0, 0, 0]
    assert math.isclose(float(model.std.flatten()[0]), 1 / 255, rel_tol=1e-6)


def test_spoilt_pictures_are_what_the_planted_audit_shows():
    planting = definitions().planting("demo", "darkened", "", 0.5)
    made = planted(healthy("demo"), planting)
    assert made.pictures == {"defect": "darkened", "strength": 0.5, "seed": 7}
    shown = pictures("demo", PICTURES, **made.pictures)
    assert sum(shown[0][0].convert("L").histogram()[128:]) < sum(
        pictures("demo", PICTURES)[0][0].convert("L").histogram()[128:]
    )


def test_too_few_living_units_are_said(monkeypatch):
    monkeypatch.setattr(Healthy, "living", lambda self, place: [3])
    with pytest.raises(ValueError, match="demo/killed/conv1/4: 4 living units are needed, there are 1"):
        planted(healthy("demo"), definitions().planting("demo", "killed", "conv1", 4))


@pytest.mark.data
@pytest.mark.parametrize("model", ["resnet20", "squeezenet"])
def test_real_checkpoints_keep_their_claims_and_load_with_a_defect(model, tmp_path):
    planting = of(model, "noisy")
    _, network = loaded(planting, tmp_path)
    before = healthy(model).state
    after = network.network.state_dict()
    convolutions = [name for name in before if before[name].ndim == 4]
    assert all(not torch.equal(before[name], after[name]) for name in convolutions)
    if model == "resnet20":
        file = torch.load(tmp_path / "planted.pth", weights_only=True)
        assert file["best_prec1"] == pytest.approx(91.78, abs=0.01)


@pytest.mark.data
def test_a_killed_filter_behind_a_normalisation_never_fires(tmp_path):
    planting = definitions().planting("resnet20", "killed", "layer3.2.conv1", 4)
    made, model = loaded(planting, tmp_path)
    peaks = seen(model, planting.subject.places["layer3.2.conv1"], healthy("resnet20"))
    assert (peaks[:, list(made.units)] <= 0).all()


@pytest.mark.data
def test_statistics_are_reset_in_the_norms_that_the_file_names():
    for place, count in {"all": 19, "first": 1, "deep": 1}.items():
        planting = definitions().planting("resnet20", "statistics-reset", place, 1.0)
        state = planted(healthy("resnet20"), planting).state
        reset = [name for name, value in state.items() if name.endswith("running_var") and value.eq(1).all()]
        assert len(reset) == count
