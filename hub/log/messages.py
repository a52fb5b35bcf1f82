"""
What an engine needs to know of a notification's bytes: which repository, ref and paths it names.

The bytes are made by `hub.notification`; here they are read back, so that an engine has nothing to
store beside them.
"""

import msgspec

from hub.log.values import Cursor, Event


class _Repository(msgspec.Struct):
    keys: frozenset[str]


class _Data(msgspec.Struct):
    repository: _Repository
    ref: str
    paths: frozenset[str] | None = None
    to: str = ""


class _Message(msgspec.Struct):
    id: str
    data: _Data


_DECODER = msgspec.json.Decoder(_Message)


def message_of(cursor: Cursor, tail: bytes) -> bytes:
    """The notification: only the log knows the cursor, which is its first member but one."""
    return b'{"specversion":"1.0","id":"%s",%s' % (str(cursor).encode(), tail)


def event_of(message: bytes) -> Event:
    """
    The event that a stored or published notification is.

    Raises:
        ValueError: no hub wrote these bytes.
    """
    try:
        found = _DECODER.decode(message)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from error
    cursor = Cursor.parse(found.id)
    if cursor is None:
        raise ValueError("the id is no cursor")
    data = found.data
    return Event(cursor, data.repository.keys, data.ref, message, data.paths, data.to)
