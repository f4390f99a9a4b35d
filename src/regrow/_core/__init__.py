"""Supervision as values: no event loop, no clock, no chance, no text for people.

What time it is, and random numbers, come in as arguments. Nothing here waits.
"""
