"""Marketo Engage."""
