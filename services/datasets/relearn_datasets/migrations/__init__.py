"""Schema history of datasets, run by the service when it starts."""
