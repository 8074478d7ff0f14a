"""A database's indexes and documents, compared with this release and made so."""
