"""The functions of the expression language, declared in tables by the kind of value they work on.

Each table entry (`Function`) is the only place that says what a function takes, does with NULL, and gives: argument
checks, code generation and the reference page are made from it.
"""
