"""
What `directcd init` does: look at a repository, and write a directcd.toml that delivers it.

Looking changes nothing; only `files` writes. What a setting means is said in the settings.
"""
