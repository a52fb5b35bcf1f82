"""
The main job on real parts, on one machine, in one command.

A real git repository with a real `git push`, a signed GitHub delivery from its receive hook, the
hub, server and client as processes of their own, and a small web server that gets replaced. The
tests use the same world.
"""
