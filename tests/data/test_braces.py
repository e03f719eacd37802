"""Braces in the names of shards, against their definition."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.data.braces import expanded

plain = st.text(st.characters(exclude_characters="{}", exclude_categories=["Cs"]), max_size=5)
alternatives = st.lists(st.text("abc.-", min_size=0, max_size=3), min_size=2, max_size=4)
ranges = st.tuples(st.integers(0, 120), st.integers(0, 15), st.integers(0, 4))


@given(plain, alternatives, plain, ranges, plain)
def test_every_alternative_is_combined_with_every_number(
    start: str, names: list[str], middle: str, numbers: tuple[int, int, int], end: str
) -> None:
    low, more, width = numbers
    first = f"{low:0{width}}"
    pattern = start + "{" + ",".join(names) + "}" + middle + "{" + f"{first}..{low + more}" + "}" + end
    padded = len(first) > 1 and first[0] == "0"
    wide = max(len(first), len(str(low + more))) if padded else 0
    expected = []
    for name in names:
        for number in range(low, low + more + 1):
            expected.append(start + name + middle + str(number).rjust(wide, "0") + end)
    assert expanded(pattern) == expected


@given(plain)
def test_a_name_without_braces_is_itself(name: str) -> None:
    assert expanded(name) == [name]


def test_numbers_are_as_wide_as_the_wider_end_where_one_has_leading_zeros() -> None:
    assert expanded("train-{0000..0002}.tar") == ["train-0000.tar", "train-0001.tar", "train-0002.tar"]
    assert expanded("{8..10}") == ["8", "9", "10"]
    assert expanded("{08..10}") == ["08", "09", "10"]
    assert expanded("{0..2}") == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("a{b", "without their partner"),
        ("a}b", "without their partner"),
        ("{a,{b,c}}", "inside others"),
        ("{a}", "neither"),
        ("{}", "neither"),
        ("{a..c}", "neither"),
        ("{3..1}", "runs backwards"),
        ("{0..99999999}", "means 100,000,000 names"),
        ("{0..9999}{0..9999}", "means 100,000,000 names"),
    ],
)
def test_braces_that_mean_nothing_are_refused(pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        expanded(pattern)
