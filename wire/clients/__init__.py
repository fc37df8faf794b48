"""What a source and a sink of the same system share: how it is reached, and what its errors mean.

A layer between `wire.core` and the connectors, so that sources need not know sinks. Modules that hold configuration
import without the system's library; those that talk to it are imported when a connection is wanted.
"""
