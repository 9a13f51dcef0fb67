"""The tests; each folder is a package, so that what its tests share ends with them."""
