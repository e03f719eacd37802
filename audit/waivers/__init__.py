"""waivers.toml -> which failures somebody lets pass, why, who, until when, and what no longer needs that."""

from audit.waivers.applied import waived
from audit.waivers.reading import Waivers, waivers_for

__all__ = ["Waivers", "waived", "waivers_for"]
