"""What a user may say about an audience."""

from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cdp_toolkit.errors import ConfigError


class Segment(BaseModel):
    """Who is in: a rule over people or accounts. The same in Python and in ``segments/<name>.yaml``.

    Parameters
    ----------
    name
        Name in files, tables and ``inSegment``.
    description
        One sentence for people.
    entity
        What the members are.
    pql
        The rule, in the Profile Query Language.
    merge_policy
        Profiles to look at; those of the default policy if none is named.
    schedule
        When to evaluate it; with every evaluation if none is given.
    tags
        Words to find it by.
    status
        Only active segments are evaluated; a draft may still be named by ``inSegment``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    description: str = ""
    entity: Literal["person", "account"] = "person"
    pql: Annotated[str, Field(min_length=1)]
    merge_policy: str | None = None
    schedule: str | None = None
    tags: tuple[str, ...] = ()
    status: Literal["draft", "active", "archived"] = "active"

    @classmethod
    def from_yaml(cls, text: str, *, where: str = "segment") -> "Segment":
        """Read a segment.

        Parameters
        ----------
        text
            YAML.
        where
            The file it comes from, for the error.

        Returns
        -------
        Segment
            The segment; its rule is not parsed yet.

        Raises
        ------
        ConfigError
            If the text is no YAML, or a setting is missing, wrong or unknown.
        """
        try:
            return cls.model_validate(yaml.safe_load(text))
        except yaml.YAMLError as error:
            raise ConfigError("The file is not YAML.", where=where, hint=str(error)) from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            setting = ".".join(str(part) for part in first["loc"]) or "the file"
            hint = f"Settings: {', '.join(cls.model_fields)}."
            raise ConfigError(f"{setting}: {first['msg']}.", where=where, hint=hint) from error

    def to_yaml(self) -> str:
        """Write the segment.

        Returns
        -------
        str
            YAML that reads well in git: the rule as a block, defaults left out.

        Examples
        --------
        >>> print(Segment(name="scored", pql="person_score > 80").to_yaml(), end="")
        name: scored
        entity: person
        pql: |
          person_score > 80
        """
        chosen = self.model_dump(mode="json", exclude_defaults=True) | {"entity": self.entity}
        rule = self.pql.strip() + "\n"
        settings: dict[str, Any] = {
            name: _Block(rule) if name == "pql" else chosen[name] for name in type(self).model_fields if name in chosen
        }
        return yaml.dump(settings, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Block(str):
    """A text that is written as a block."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """The plain dumper, with blocks."""


def _block(dumper: yaml.SafeDumper, text: _Block) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style="|")


_Dumper.add_representer(_Block, _block)
