"""How a tree gets into a program: `open_tree`, `serve_tree`, `run_tree`."""
