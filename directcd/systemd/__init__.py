"""
What directcd and a service manager of systemd's kind tell each other: `notifying` says how the
process gets on, `activation` takes over sockets that already listen. Only plain sockets and
environment variables: whoever speaks these protocols may be the manager. Neither the hub nor
cd4sources knows of it.
"""
