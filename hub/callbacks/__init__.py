"""Signed callbacks: every wanted event is posted to its subscriber, in order, until it is taken."""
