"""The dashboard as a person meets it: a real browser before a real hub, server and client."""
