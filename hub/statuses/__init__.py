"""
What the hub writes beside commits at their forge: one status a target, and deployments.

Worked out anew from the log's reports whenever there are new ones (`claims`, `wording`, `clients`:
pure), compared with what was said before (`memory`), and sent where it differs (`sending`).
"""
