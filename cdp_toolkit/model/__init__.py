"""What the data means: entities, fields, relations and types. No data, no disk."""

from cdp_toolkit.model.model import Entity, Field, Model, Relation

__all__ = ["Entity", "Field", "Model", "Relation"]
