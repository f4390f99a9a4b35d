"""The static checks of trees that are valid, and still will not do what was meant.

What is invalid is refused when it is declared (`check` in the folder above). Here a tree is
looked at as a whole: `model` is what the rules see, `figures` and `wires` what is worked
out beforehand, `limits`, `stopping`, `wiring` and `children` are the rules, one function
each, and `rules` the table of them. A rule says nothing that it cannot know from the
declaration: what a method does with a ref, or how long it takes, is no matter here.
"""
