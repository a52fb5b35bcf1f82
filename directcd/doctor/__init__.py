"""
What `directcd doctor` looks at: one family of checks a file.

Each gives findings and changes nothing; `mending` does what `--fix` may do. What needs no network
is in `standing`, which `directcd config check` asks as well. What a setting must look like to be
read at all is no matter of this package but of the settings.
"""
