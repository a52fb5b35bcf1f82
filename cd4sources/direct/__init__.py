"""Direct pulling: the server's half and the client's in one process, no network between them."""
