"""What a person at the command line is told of an error: what was wrong, and the mend."""

from __future__ import annotations

from portal.errors import PortalError


class Fails(PortalError):
    """A command ends with exit status 1: what it looked at does not hold, or cannot be done from here."""


def explained(fault: Exception) -> tuple[str, str]:
    """Return the message and the mend (perhaps empty) of any error."""
    # Imported when something failed: a command that goes well starts without them.
    from sqlalchemy.exc import SQLAlchemyError

    from crypto.errors import CryptoError
    from crypto.translog.errors import TranslogError
    from policies.errors import PolicyError
    from portal.settings import SettingsError

    match fault:
        case PortalError():
            return _sentence(fault.message), _sentence(fault.mend)
        case SettingsError() | PolicyError() | CryptoError() | TranslogError():
            return _sentence(str(fault)), ""
        case SQLAlchemyError():
            return "The database cannot be read or written.", "Check its file, disk and permissions."
        case OSError():
            return _sentence(f"{fault.filename or 'the system'}: {fault.strerror or fault}"), ""
        case _:
            kind = type(fault).__name__
            return (
                f"Something failed that should not ({kind}).",
                "Set STRONGROOM_TRACE=1 to see where, and report it.",
            )


def _sentence(text: str) -> str:
    if not text:
        return text
    first = text if text.startswith(("/", "http")) else text[0].upper() + text[1:]
    return first if first.endswith((".", "?", "!", ":", "”")) else first + "."
