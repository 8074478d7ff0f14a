"""Whether a URI is one that MongoDB's driver takes; says why not without quoting it."""

from __future__ import annotations

import warnings

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from order_runtime.documents.document import Document


def uri_fault(uri: str) -> str | None:
    """
    Return what is wrong with *uri*, or None; connects to nothing.

    The driver's own errors and warnings quote parts of it: of a password with an unescaped `/`
    or `?`, the rest.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        try:
            MongoClient[Document](uri, connect=False).close()
        except UserWarning:
            return "has an option that is unknown, or a value that its option can't have"
        except (PyMongoError, ValueError):
            return "must be a URI of MongoDB, its user and password percent-encoded"
        except OSError:
            return "names a file that can't be read"
    return None
