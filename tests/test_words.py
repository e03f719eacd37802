"""Counts and lists are worded as people write them."""

from audit.words import listed, plural, unit_of


def test_one_thing_is_no_plural() -> None:
    assert [plural(count, "layer") for count in (0, 1, 2)] == ["0 layers", "1 layer", "2 layers"]
    assert plural(float("nan"), "layer") == "nan layers"


def test_a_unit_follows_its_number() -> None:
    assert [unit_of(value, "layers") for value in (0.0, 1.0, 1.5)] == ["layers", "layer", "layers"]
    assert [unit_of(1.0, unit) for unit in ("%", "")] == ["%", ""]


def test_a_long_list_says_how_much_of_it_is_left_out() -> None:
    assert listed([3, 1, 2], most=3) == "3, 1, 2"
    assert listed(["a", "b", "c", "d"], most=2) == "a, b and 2 more"
    assert listed([]) == ""
