"""Small worlds, searched: a few members, a few events of each kind, and every order in which these can happen.

A step is one choice: some member is given one message, or begins an election, proposes, loses its power, ... Messages
that were sent stay: each may arrive at any time, any number of times, or never. There is no time but what a choice
stands for, and elections begin whenever one chooses: safety must not depend on when.

- `host`: a real replica on a log and snapshots of its own, and the choices it can be given. - `frozen`: what tells two
states of it apart. - `witness`: what it has shown, over all its lives, and what must not contradict. - `automaton`: its
states and the steps between them, each worked out once. - `world`: the members together. - `search`: through a world,
exhaustively or guided by what is rare.

Since a member's step depends on nothing but its own state and what it is given, a world is a product of automata: the
replica itself runs only for what no other path has met before.
"""
