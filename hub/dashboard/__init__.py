"""
The dashboard: pages for people, made on the hub, readable without JavaScript.

What belongs here is how things are shown. What they are is read from the hub's own objects, by the
functions that the API uses, too: a page never knows more than the API. One file a page, with a
template of its name; `pages.py` is what they share.
"""
