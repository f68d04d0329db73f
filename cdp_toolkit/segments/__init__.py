"""profiles/ to segments/."""
