"""Lines of the sources that are broken on purpose, to see that a test notices: `make mutants`."""
