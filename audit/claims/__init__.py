"""What papers say of trained networks, held against what was measured of this one: records -> Claim."""
