"""What is wrong with files of certificates, before a client library stumbles over them."""

from __future__ import annotations

import ssl
from pathlib import Path

NOT_THERE = "there is no such file"


def authorities_fault(path: Path) -> str | None:
    """Return what is wrong with a file of those who sign certificates; None if it can be used."""
    try:
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        return "it holds no certificate in PEM"
    except OSError as error:
        return _unreadable(error)
    return None


def certificate_fault(cert: Path, key: Path | None = None) -> str | None:
    """Return what is wrong with a certificate and its key, which may be in one file; else None."""
    try:
        # Without a password OpenSSL would ask the terminal for that of an encrypted key.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(cert, key, password="")
    except ssl.SSLError:
        return "it is no certificate in PEM whose key is given, fits, and has no password"
    except OSError as error:
        return _unreadable(error)
    return None


def _unreadable(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return NOT_THERE
    return f"it can't be read ({type(error).__name__})"
