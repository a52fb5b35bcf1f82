"""Real things tests run against: git over HTTP, processes, the installed command."""
