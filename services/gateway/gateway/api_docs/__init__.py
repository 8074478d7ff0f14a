"""The reference page, made from the OpenAPI document. Pure."""
