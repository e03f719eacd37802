"""What defects.toml defines, and what it refuses."""

import pytest

from tests.defects.definitions import definitions
from tests.defects.recipes import ORDERS, RECIPES


def test_each_planting_has_an_id_of_its_own():
    ids = [planting.id for model in definitions().subjects for planting in definitions().plantings(model)]
    assert len(ids) == len(set(ids)) > 300


def test_each_kind_has_a_recipe_and_each_recipe_a_kind():
    assert {defect.kind for defect in definitions().defects} == set(RECIPES)


def test_some_models_are_for_tuning_and_others_for_reporting():
    uses = {name: subject.use for name, subject in definitions().subjects.items()}
    assert uses == {"demo": "tuning", "resnet20": "tuning", "resnet32": "reporting", "squeezenet": "reporting"}


def test_a_defect_that_must_be_found_says_which_check_should_name_it():
    assert all(bool(defect.expected) == (defect.found != "never") for defect in definitions().defects)


def test_the_orders_of_labels_are_those_of_the_file():
    (permuted,) = (defect for defect in definitions().defects if defect.kind == "labels-permuted")
    assert set(permuted.strengths) == set(ORDERS)


def test_plantings_of_a_kind_are_its_places_times_its_strengths():
    killed = list(definitions().plantings("demo", frozenset({"killed"})))
    assert [(planting.place, planting.strength) for planting in killed] == [
        (place, strength) for place in ("conv1", "conv2", "conv3") for strength in (1, 4)
    ]
    assert [planting.id for planting in killed][:2] == ["demo/killed/conv1/1", "demo/killed/conv1/4"]


def test_an_unknown_model_kind_or_planting_is_named():
    with pytest.raises(LookupError, match=r'no model "vgg".*squeezenet'):
        next(definitions().plantings("vgg"))
    with pytest.raises(LookupError, match=r"no defect rust.*killed"):
        next(definitions().plantings("demo", frozenset({"rust"})))
    with pytest.raises(LookupError, match='no "killed" of strength 99 at "conv1" in demo'):
        definitions().planting("demo", "killed", "conv1", 99)
