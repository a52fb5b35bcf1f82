"""Thin HTTP handlers, one file a resource: parse the request, call the hub, choose a status."""
