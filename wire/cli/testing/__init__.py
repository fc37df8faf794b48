"""`wire test`: the tests that pipelines carry with them, or that lie in files beside them.

A case puts records in front of the transforms and says what must come out behind them. Each case has transforms of its
own, compiled for it alone: its clock stands still at the time the case says, and what a transform would look up in a
file or ask a service for comes from the case. Nothing leaves this machine.

Core types: `Case` (where it was written, what it says), `CaseResult` (what came out, and what of it was not expected),
`Problem` (one difference).
"""
