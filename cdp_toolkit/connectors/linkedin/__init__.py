"""LinkedIn's advertising."""
