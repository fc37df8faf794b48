"""The `wire` command: how people use everything below.

One module per command under `commands`, imported when the command is called, so that starting a pipeline does not pay
for the others. Data goes to standard output, everything else to standard error. Exit codes: 0 fine, 1 failed at run
time, 2 invalid input, 3 something around it is missing (a server, a library, a right). A user's mistake never shows a
stack trace.
"""
