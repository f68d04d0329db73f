"""What a user may say about an audience."""

import re
from html import escape
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from cdp_toolkit.errors import ConfigError
from cdp_toolkit.segments.rule import Rule

_NAME = "[a-z][a-z0-9_]*"


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
        The rule, in the Profile Query Language, or as the builder gives it.
    include
        Segments, or rules, of which a member must be in at least one.
    exclude
        Segments, or rules, of which a member must be in none; who is unknown to one is not excluded by it.
    merge_policy
        Profiles to look at; those of the default policy if none is named.
    schedule
        When to evaluate it; with every evaluation if none is given.
    tags
        Words to find it by.
    status
        Only active segments are evaluated; a draft may still be named by ``inSegment``.
    exchanged
        What the reference system says of it besides, kept to be given back.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=f"^{_NAME}$")]
    description: str = ""
    entity: Literal["person", "account"] = "person"
    pql: str = ""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    merge_policy: str | None = None
    schedule: str | None = None
    tags: tuple[str, ...] = ()
    status: Literal["draft", "active", "archived"] = "active"
    exchanged: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _write_rules(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        rule = data.get("pql")
        written: dict[str, Any] = {"entity": rule.entity} | data if isinstance(rule, Rule) else dict(data)
        for name in ("include", "exclude"):
            if isinstance(written.get(name), list | tuple):
                written[name] = tuple(str(each) if isinstance(each, Rule) else each for each in written[name])
        return written | ({"pql": str(rule)} if isinstance(rule, Rule) else {})

    @model_validator(mode="after")
    def _has_rule(self) -> Self:
        if not self.pql.strip() and not self.include:
            raise PydanticCustomError("empty", "A segment needs a rule: pql, or include")
        return self

    @property
    def rule(self) -> str:
        """The whole rule: ``pql``, in one of ``include``, in none of ``exclude``.

        Examples
        --------
        >>> print(Segment(name="a", pql="person_score > 80", exclude=("b", "is_blocked = true")).rule)
        (person_score > 80
        ) and not inSegment("b") and if(is_blocked = true
        , false, true)
        """
        if not self.include and not self.exclude:
            return self.pql
        # A line of its own for each end, since a rule may end in a comment.
        parts = [f"({self.pql}\n)"] if self.pql.strip() else []
        if self.include:
            parts.append(f"({' or '.join(_membership(each) for each in self.include)})")
        parts += [f"not {_in(each)}" if _is_name(each) else f"if({each}\n, false, true)" for each in self.exclude]
        return " and ".join(parts)

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

    def _repr_html_(self) -> str:
        head = f"<b>{escape(self.name)}</b> ({self.entity}, {self.status})<br>{escape(self.description)}"
        return f"<div>{head}<pre style='white-space:pre-wrap'>{escape(self.rule.strip())}</pre></div>"


def _is_name(entry: str) -> bool:
    return re.fullmatch(_NAME, entry) is not None


def _in(name: str) -> str:
    return f'inSegment("{name}")'


def _membership(entry: str) -> str:
    return _in(entry) if _is_name(entry) else f"({entry}\n)"


class _Block(str):
    """A text that is written as a block."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """The plain dumper, with blocks."""


def _block(dumper: yaml.SafeDumper, text: _Block) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style="|")


_Dumper.add_representer(_Block, _block)
