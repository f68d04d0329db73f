"""One folder a vendor, found by entry point and imported by nobody."""
