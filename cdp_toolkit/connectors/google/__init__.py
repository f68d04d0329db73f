"""Google's advertising products, by the Data Manager API."""
