"""
Direct pulling: what a person types becomes one value, and a server's and a client's parts run it.

No network lies between them, so nothing here may need a web framework or an HTTP client.
"""
