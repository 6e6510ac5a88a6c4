"""A package, since others put one of this name beside theirs."""
