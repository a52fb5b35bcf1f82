"""
How processes are run, found and killed, whole trees of them, and how builds are confined.

`commands` is what others use. `nanny` is a process of its own, with the standard library alone.
"""
