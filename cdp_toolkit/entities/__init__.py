"""From what was delivered to typed records: one row a source record, and every refused value with its reason."""
