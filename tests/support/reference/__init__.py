"""docs/reference, as far as the code knows it: `python -m tests.support.reference`."""
