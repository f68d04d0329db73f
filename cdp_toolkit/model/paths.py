"""Where data in the shape of the Experience Data Model holds the value of a field."""

from cdp_toolkit.model.model import Field

_KEY_PARTS = "{{{0}.sourceID}}@{{{0}.sourceInstanceID}}.{{{0}.sourceType}}"


def places(field: Field) -> tuple[str, ...]:
    """Return where a field's value may stand in delivered XDM, best first.

    Parameters
    ----------
    field
        A field of the model.

    Returns
    -------
    tuple of str
        Dotted paths; ``[]`` stands for each element of an array, ``[0]`` for its first, and a text with braces puts a
        value together. A key may be whole or in its parts, an array of identities is reduced to their ids.

    Examples
    --------
    >>> from cdp_toolkit.model import Model
    >>> places(Model.standard().entity("opportunity").field("account_key"))
    ('accountKey.sourceKey', '{accountKey.sourceID}@{accountKey.sourceInstanceID}.{accountKey.sourceType}')
    >>> places(Model.standard().entity("person").field("ecids"))
    ('identityMap.ECID[].id', 'identityMap.ECID')
    """
    holder, _, last = field.path.rpartition(".")
    if field.type == "keys":
        return (f"{holder}[].{last}", field.path)
    if field.path.startswith("identityMap."):
        return (f"{field.path}[{'' if field.type == 'strings' else '0'}].id", field.path)
    if last == "sourceKey":
        return (field.path, _KEY_PARTS.format(holder))
    return (field.path,)
