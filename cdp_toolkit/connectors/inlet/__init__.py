"""Messages that were sent to us, as a source."""
