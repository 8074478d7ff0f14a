"""A contact's data: shown, erased, and searched for."""
