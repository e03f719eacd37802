"""audit.toml -> frozen sections; unknown keys are errors, all shown at once, each with its line."""

from audit.config.sections import AuditSection, CheckSection, DataSection, LayerSection, ModelSection, Section

__all__ = ["AuditSection", "CheckSection", "DataSection", "LayerSection", "ModelSection", "Section"]
