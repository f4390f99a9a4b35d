"""`regrow demo`: an index of the standard library, made by actors that crash.

`_source` and `_plain` are the work itself, `_store` is where it goes, `_tree` does it
under supervision, `_killer` disturbs it, `_show` tells of it, `_command` ties them up.
"""
