"""Pages of the documentation, followed word for word: commands are run, outputs compared."""
