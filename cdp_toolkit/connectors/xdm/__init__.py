"""Data in the shape of the Experience Data Model."""
