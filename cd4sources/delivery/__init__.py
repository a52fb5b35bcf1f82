"""
The client's half: which version there is, getting it, running it, judging it.

Nothing of the server's half is imported: the two speak HTTP. `cd4sources.client` puts it together.
"""
