"""One program for each library, run by the Python of an environment that has that library.

They may import the standard library, `timing` beside them, and that library.
"""
