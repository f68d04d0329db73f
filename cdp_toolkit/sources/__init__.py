"""From outside into ``landing/``: read what is new since the cursor, and keep it as it was delivered."""
