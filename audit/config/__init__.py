"""audit.toml -> frozen sections; unknown keys are errors, all shown at once, each with its line."""

from audit.config.changes import Change, difference, misfit
from audit.config.json_schema import schema, schema_text
from audit.config.reading import ChosenCheck, Config, read, read_partly
from audit.config.sections import (
    AuditSection,
    CheckSection,
    CorrespondenceSection,
    DataSection,
    DirectionSection,
    Fill,
    InversionSection,
    LayerSection,
    ModelSection,
    OcclusionSection,
    Said,
    Section,
    TsneSection,
)

__all__ = [
    "AuditSection",
    "Change",
    "CheckSection",
    "ChosenCheck",
    "Config",
    "CorrespondenceSection",
    "DataSection",
    "DirectionSection",
    "Fill",
    "InversionSection",
    "LayerSection",
    "ModelSection",
    "OcclusionSection",
    "Said",
    "Section",
    "TsneSection",
    "difference",
    "misfit",
    "read",
    "read_partly",
    "schema",
    "schema_text",
]
