"""
Container engines for tests/deploy: the one that answers, or one of the test's own.

Root on Debian can start one from packages. Images are pulled where that is possible; elsewhere a
stand-in of the same name and user is made from Debian's packages, so that what is tested is ours
and what it stands on is real software.
"""
