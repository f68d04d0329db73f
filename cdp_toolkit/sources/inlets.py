"""What a user may say about inlets: sources that are sent to instead of being asked."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cdp_toolkit.sources.settings import SourceSettings

Shape = Literal["xdm", "tracking", "webhook"]


class InletSettings(SourceSettings):
    """What ``cdp.yaml`` may say of an inlet.

    Parameters
    ----------
    keys
        Digests of the keys that may send to it, as ``cdp inlet-key`` prints them.
    open
        Whether anybody who reaches it may send to it.
    organisation
        Organisation that XDM messages must name in their header; any by default.
    object
        Object of the mapping that a webhook's rows are.
    id
        Key of a webhook's rows that tells one message from another; each is another by default.
    per_second
        Messages a second; who sends more is asked to wait.
    """

    keys: tuple[Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")], ...] = ()
    open: bool = False
    organisation: str | None = None
    object: str | None = None
    id: str | None = None
    per_second: Annotated[int, Field(gt=0)] = 20_000

    @model_validator(mode="before")
    @classmethod
    def _has_a_shape(cls, data: Any) -> Any:
        if not data.get("mapping") and data.get("system") not in {"xdm", "tracking"}:
            raise ValueError("an inlet needs `system: xdm`, `system: tracking`, or `mapping: FILE.yaml` with `object`")
        if data.get("mapping") and not data.get("object"):
            raise ValueError("an inlet with a mapping needs `object`, the object of the mapping that its rows are")
        return data

    @model_validator(mode="after")
    def _is_guarded(self) -> "InletSettings":
        if not self.keys and not self.open:
            raise ValueError("nobody may send to it: add `keys`, made by `cdp inlet-key`, or `open: true`")
        return self

    @property
    def shape(self) -> Shape:
        """How its messages look."""
        if self.mapping:
            return "webhook"
        return "xdm" if self.system == "xdm" else "tracking"


class StreamSettings(BaseModel):
    """What ``cdp.yaml`` may say under ``stream``.

    Parameters
    ----------
    host, port
        Where to listen; on this machine only by default.
    every_s
        Seconds between two rounds of load, stitch, evaluate and activate, as long as messages come.
    whole_every_s
        Seconds between two rounds that also look at what accounts add up from events, and at who leaves an audience
        because time has passed.
    most_waiting
        With so many messages waiting to be loaded, senders are asked to wait.
    most_bytes
        Size of a request at the most, unpacked.
    remember_days
        How long the id of a message is remembered, so that its repetition is dropped.
    certificate, private_key
        Files for TLS; without them the connection is not encrypted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, lt=65_536)] = 8_787
    every_s: Annotated[float, Field(gt=0)] = 1
    whole_every_s: Annotated[float, Field(gt=0)] = 60
    most_waiting: Annotated[int, Field(gt=0)] = 5_000_000
    most_bytes: Annotated[int, Field(gt=0)] = 1_000_000
    remember_days: Annotated[float, Field(gt=0)] = 7
    certificate: str | None = None
    private_key: str | None = None


def log_file(folder: Path) -> Path:
    """Return where a workspace keeps the messages that wait.

    Parameters
    ----------
    folder
        The workspace.

    Returns
    -------
    Path
        The file.
    """
    return folder / "stream" / "log.sqlite"
