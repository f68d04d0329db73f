"""Databases: tables and queries as a source, audiences as a table."""
