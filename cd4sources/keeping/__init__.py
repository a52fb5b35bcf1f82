"""
The server's versions on disk: their ids, the order in which they were offered, what stays.

Everything blocks and is called in threads; nothing here knows how a version is made.
"""
