"""Calls of the tracking libraries that websites and apps use, and what they mean."""
