"""Commands that ask: what a source needs, in words."""

import sys
from typing import Annotated

import typer
import yaml

from cdp_toolkit.errors import ConfigError
from cdp_toolkit.workspace import Workspace
from cdp_toolkit.workspace.additions import Question, add_source, answered

app = typer.Typer(no_args_is_help=True, help="Say which sources the workspace reads.")


@app.callback()
def main() -> None:
    """Say which sources the workspace reads."""


@app.command()
def add(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(metavar="TYPE", help="Connector, such as sql or files.")],
    name: Annotated[str | None, typer.Argument(help="Name of the source; that of the connector by default.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting, as YAML; nobody is asked for it.")
    ] = None,
) -> None:
    """Write a source into cdp.yaml: asks for what it needs, checks it, and keeps secrets as references."""
    given = dict(_pair(each) for each in settings or ())
    name = name or kind
    ask = (lambda question: _ask(question, name)) if sys.stdin.isatty() else None
    file = add_source(Workspace(context.find_root().params["workspace"]), name, answered(kind, given, ask))
    typer.echo(f"Wrote the source {name} into {file}. Next: cdp doctor")


def _pair(text: str) -> tuple[str, object]:
    key, sign, value = text.partition("=")
    if not sign:
        raise ConfigError(f"{text!r} is no setting.", where="--set", hint="Write `--set key=value`.")
    return key, yaml.safe_load(value)


def _ask(question: Question, name: str) -> str:
    proposed = f"${{env:{name}_{question.name}}}".upper().replace("${ENV:", "${env:") if question.is_secret else None
    typer.echo(f"\n{question.meaning or question.name}")
    if question.is_secret:
        typer.echo("A reference, not the secret itself: ${env:NAME} or ${keyring:SERVICE/USER}.")
    answer: str = typer.prompt(question.name, default=proposed)
    return answer
