"""How a node comes to be a member of a cluster, and how it ceases to be one.

- `entering`: alone, or by asking the members.
- `founding`: what blank nodes decide that found a cluster together, pure, with the invariants F1 to F4. - `together`:
  they meet.
- `inviting`: a node that waits is fetched. - `waiting`: what a node without a cluster tells of itself.
- `dismissing`: members leave, or are removed when they are not heard of. - `seeking`: members that have moved.
- `recovering`: offline, when the majority is gone for good.
"""
