"""A file for *Import List* of Marketo Engage: e-mail and ECID, of leads that exist.

An import creates a lead for every row that it cannot match. So a row needs the e-mail address that a live lead has in
Marketo, and an ECID goes along but never alone.
"""

from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType

import polars as pl
from pydantic import BaseModel, ConfigDict

from cdp_toolkit.connectors.exports import Export
from cdp_toolkit.connectors.marketo.static_list import check_lists
from cdp_toolkit.destinations.definition import Destination, Mode, read_settings
from cdp_toolkit.destinations.destination import DELIVERED, Batch, Limits, Outcome


class StaticListFileSettings(BaseModel):
    """Settings of a static-list file.

    Parameters
    ----------
    list
        Name of the static list to import into, for the manifest; the audience's by default.
    instance
        Marketo instance that must know the lead, where there are several.
    path
        Folder, or folder and file name, as for files; ``out/<destination>/`` by default.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    list: str | None = None
    instance: str | None = None
    path: str | None = None


class StaticListFile:
    """A folder that receives an import file per audience, and beside it who was refused.

    Parameters
    ----------
    destination
        Its definition.
    folder
        Folder of the workspace.

    Raises
    ------
    ConfigError
        If a setting is wrong, or if anything but e-mail and ECID is mapped.
    """

    entities = ("person",)
    # An import adds to a list and takes nobody off it: whoever imports empties the list first, or wants additions only.
    modes: tuple[Mode, ...] = ("full", "add_only")
    fields = MappingProxyType({"email": "email", "ecid": "ecids"})
    identity = ("email",)
    requires_source = "Marketo"
    limits = Limits()

    def __init__(self, destination: Destination, folder: Path) -> None:
        settings = read_settings(destination, StaticListFileSettings)
        check_lists(destination, settings.list)
        self._list = settings.list
        self.requires_instance = settings.instance
        self._export = Export.at(settings.path, ".csv", destination, folder)

    def deliver(self, batch: Batch) -> Sequence[Outcome]:
        """Write an import file; see ``Connection.deliver``.

        Parameters
        ----------
        batch
            The audience, whole.

        Returns
        -------
        sequence of Outcome
            All delivered: the file is there or it is not.
        """
        leads = pl.DataFrame(batch.rows).filter(pl.col("_action") != "remove").select("email", "ecid")
        refused = pl.DataFrame(batch.refused).select(profile_id="_profile_id", reason="_reason")
        self._export.publish(
            batch, {"": leads, "_refused": refused}, _write, about={"list": self._list or batch.audience}
        )
        return [DELIVERED] * len(batch.rows)


def _write(table: pl.DataFrame, path: Path) -> None:
    table.write_csv(path)
