"""The benchmarks: `make bench`. Never part of the tests; the harness's own arithmetic is tested like any code.

One run measures Wire beside a bare loop over the same client library doing the same work, in the same session on the
same machine, alternating. Generator and counter are processes of their own, and everything is counted where it
arrives. Cost is the CPU time of the measured process tree, from /proc, so a busy machine moves it less than the clock.

`jobs` and `orders` hold the work every contender does, `generator`, `counter` and `bare_*` are the processes,
`throughput`, `latency`, `files`, `startup`, `soak`, `documents` and the package `consensus` the runs, `report` what is
made of the results.
"""
