"""The gateway's certificate and key: files that are read again when they change."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

from gateway.log_events import CERTIFICATE_NOT_READ, CERTIFICATE_READ_AGAIN
from order_runtime.documents.instances import CERTIFICATE_REFUSED
from order_runtime.observability.certificates import GATEWAY, show_expiry
from order_runtime.observability.conditions import CONDITIONS
from order_runtime.process.logs import log
from order_runtime.process.watched_files import WatchedFiles

ALPN: Final = ["http/1.1"]


class CertificateError(ValueError):
    """Why the files can't be used, in one sentence without what is in them."""


class Certificate:
    """A certificate and its key; `context` may be called for every connection."""

    def __init__(self, cert_file: Path, key_file: Path) -> None:
        """Read the files; raises CertificateError."""
        self._cert_file, self._key_file = cert_file, key_file
        self._files = WatchedFiles(cert_file, key_file)
        self._files.changed()
        self._context = server_context(cert_file, key_file)
        show_expiry(GATEWAY, cert_file)

    def context(self) -> ssl.SSLContext:
        """
        Return what a new connection speaks TLS with; those that are open keep their own.

        Changed files are read into a context of their own: one in use would lose its key to a
        certificate that doesn't fit. Broken ones change nothing, and are logged.
        """
        if self._files.changed():
            try:
                self._context = server_context(self._cert_file, self._key_file)
            except CertificateError as error:
                log().error(CERTIFICATE_NOT_READ, reason=str(error))
                CONDITIONS.begins(CERTIFICATE_REFUSED, GATEWAY, str(error))
            else:
                CONDITIONS.ends(CERTIFICATE_REFUSED, GATEWAY)
                show_expiry(GATEWAY, self._cert_file)
                log().info(CERTIFICATE_READ_AGAIN)
        return self._context


def server_context(cert_file: Path, key_file: Path) -> ssl.SSLContext:
    """Return a context of TLS 1.2 or newer; raises CertificateError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(ALPN)
    try:
        # Without a password OpenSSL would ask the terminal for that of an encrypted key.
        context.load_cert_chain(cert_file, key_file, password="")
    except ssl.SSLError as error:
        reason = (error.reason or "no PEM").lower().replace("_", " ")
        raise CertificateError(f"The certificate and its key can't be used: {reason}.") from None
    except OSError as error:
        why = type(error).__name__
        raise CertificateError(f"The certificate or its key can't be read ({why}).") from None
    return context
