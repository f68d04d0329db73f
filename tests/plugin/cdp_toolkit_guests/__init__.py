"""Connectors from outside: a guest book as a source, a guest list as a destination."""
