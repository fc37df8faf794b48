"""Every metric of a node. The reference page is made of this."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct


class Metric(Struct, frozen=True):
    """One metric: units are in its name, as Prometheus wants them."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()


ALL: Final[list[Metric]] = []
"""In the order in which they are declared."""

_PIPELINE: Final = ("namespace", "pipeline")
_COMPONENT: Final = (*_PIPELINE, "component")


def _declare(kind: Literal["counter", "gauge", "histogram"], name: str, text: str, *labels: str) -> Metric:
    metric = Metric(name, kind, text, labels)
    ALL.append(metric)
    return metric


def _counter(name: str, text: str, *labels: str) -> Metric:
    return _declare("counter", name, text, *labels)


def _gauge(name: str, text: str, *labels: str) -> Metric:
    return _declare("gauge", name, text, *labels)


def _histogram(name: str, text: str, *labels: str) -> Metric:
    return _declare("histogram", name, text, *labels)


# pipelines: what runs on this node, and what has run on it

SOURCE_RECORDS = _counter("wire_source_records_total", "Records read.", *_COMPONENT)
SOURCE_BYTES = _counter("wire_source_bytes_total", "Bytes of the values read.", *_COMPONENT)
SOURCE_LAG_RECORDS = _gauge(
    "wire_source_lag_records", "Records between what was read and the end, where the source knows it.", *_COMPONENT
)
SOURCE_LAG_BYTES = _gauge(
    "wire_source_lag_bytes", "Bytes between what was read and the end, where the source knows it.", *_COMPONENT
)
SOURCE_LAG_SECONDS = _gauge(
    "wire_source_lag_seconds",
    "How old the record read last is, until the end is reached; the oldest of the partitions.",
    *_COMPONENT,
)
FILTERED = _counter("wire_pipeline_filtered_records_total", "Records that a transform left out.", *_PIPELINE)
DEAD_LETTERED = _counter(
    "wire_pipeline_dead_lettered_records_total", "Records that are durable in the dead-letter sink.", *_PIPELINE
)
SKIPPED = _counter(
    "wire_pipeline_skipped_records_total", "Records dropped by the `skip` policy for errors.", *_PIPELINE
)
REJECTED = _counter(
    "wire_pipeline_rejected_records_total", "Records that could not be processed, by error code.", *_PIPELINE, "code"
)
CHECKPOINTS = _counter("wire_pipeline_checkpoints_total", "Checkpoints that were committed.", *_PIPELINE)
CHECKPOINT_AGE = _gauge(
    "wire_pipeline_checkpoint_age_seconds", "Time since progress was last made durable; the oldest task's.", *_PIPELINE
)
PENDING = _gauge("wire_pipeline_pending_records", "Records read that no checkpoint covers yet.", *_PIPELINE)
TASKS = _gauge("wire_pipeline_tasks", "Tasks on this node by what they do.", *_PIPELINE, "state")
SINK_RECORDS = _counter("wire_sink_records_total", "Records that are durable in the sink and stay.", *_COMPONENT)
SINK_BYTES = _counter("wire_sink_bytes_total", "Bytes of the values that are durable in the sink.", *_COMPONENT)
SINK_RETRIED = _counter("wire_sink_retried_records_total", "Records that were written again.", *_COMPONENT)
SINK_OUTCOMES = _counter(
    "wire_sink_outcomes_total", "What the sink itself counts of its records.", *_COMPONENT, "outcome"
)
SINK_SHED = _counter("wire_sink_shed_records_total", "Records dropped, as the sink's buffer says.", *_COMPONENT)
SINK_BREAKER_OPENED = _counter(
    "wire_sink_breaker_openings_total", "How often the sink was found to be down.", *_COMPONENT
)
SINK_BREAKERS = _gauge(
    "wire_sink_breaker_tasks", "Tasks by what they take the sink to be: closed if it is there.", *_COMPONENT, "state"
)
SINK_HELD_UP = _counter(
    "wire_sink_rate_limited_seconds_total", "How long the sink's rate limit has held up writes.", *_COMPONENT
)
SOURCE_HELD_UP = _counter(
    "wire_source_rate_limited_seconds_total", "How long rate limits have held up what was read.", *_COMPONENT
)
SINK_QUEUED = _gauge("wire_sink_queued_records", "Records that wait to be written.", *_COMPONENT)
SINK_IN_FLIGHT = _gauge("wire_sink_in_flight_writes", "Writes under way.", *_COMPONENT)
SINK_WRITES = _histogram("wire_sink_write_seconds", "How long a write took.", *_COMPONENT)
DELIVERIES = _histogram(
    "wire_sink_delivery_seconds",
    "End to end: from a batch's being read until it is durable in the sink; the oldest batch of each write.",
    *_COMPONENT,
)

# workers

WORKER_UP = _gauge("wire_worker_up", "Whether the worker's process runs.", "worker")
WORKER_RESTARTS = _counter("wire_worker_losses_total", "How often a worker's process was lost.", "worker")
WORKER_TASKS = _gauge("wire_worker_tasks", "Tasks on the worker.", "worker")
WORKER_MEMORY = _gauge("wire_worker_resident_bytes", "Memory that the worker's process holds.", "worker")
WORKER_CPU = _counter("wire_worker_cpu_seconds_total", "Processor time of the worker's processes.", "worker")
WORKER_DELAY = _gauge("wire_worker_loop_delay_seconds", "How late the worker's event loop was last.", "worker")

# consensus

RAFT_ROLE = _gauge("wire_raft_role", "1 for what the node is to consensus, 0 for all else.", "role")
RAFT_TERM = _gauge("wire_raft_term", "The term.")
RAFT_COMMIT = _gauge("wire_raft_commit_index", "The last entry that is committed, as far as the node knows.")
RAFT_APPLIED = _gauge("wire_raft_applied_index", "The last entry that is applied here.")
RAFT_LOG_ENTRIES = _gauge("wire_raft_log_entries", "Entries in the log.")
RAFT_LOG_BYTES = _gauge("wire_raft_log_bytes", "Bytes of the log on disk.")
RAFT_MEMBERS = _gauge("wire_raft_members", "Members of the cluster by whether they vote.", "vote")
RAFT_TROUBLE = _gauge("wire_raft_storage_trouble", "1 while nothing can be written, as on a full disk.")
RAFT_LEADER_CHANGES = _counter("wire_raft_leader_changes_total", "How often the node learned of another leader.")
RAFT_SYNCS = _histogram("wire_raft_sync_seconds", "How long it took to have the log on disk.")
RAFT_PROPOSALS = _histogram("wire_raft_propose_seconds", "From a proposal made here until it was applied here.")
RAFT_APPLIES = _histogram("wire_raft_apply_seconds", "How long it took to apply an entry of the log.")
RAFT_DROPPED = _counter("wire_raft_dropped_messages_total", "Messages that were dropped because too many waited.")
RAFT_REFUSED = _counter("wire_raft_refused_connections_total", "Connections the node turned away, by code.", "code")
RAFT_REFUSALS = _counter("wire_raft_refusals_total", "How often others turned the node away, by code.", "code")
RAFT_SENT_BYTES = _counter("wire_raft_sent_bytes_total", "Bytes sent to other members.")
RAFT_RECEIVED_BYTES = _counter("wire_raft_received_bytes_total", "Bytes received from other members.")
RAFT_UNREACHABLE = _counter("wire_raft_unreachable_total", "Attempts to reach another member without any answer.")

# the cluster, as the node knows it

PIPELINES = _gauge("wire_cluster_pipelines", "Pipelines of the cluster.")
NODES = _gauge("wire_cluster_nodes", "Nodes that are registered.")
CLUSTER_TASKS = _gauge("wire_cluster_tasks", "Tasks of the cluster.")
LEASE = _gauge("wire_node_lease_seconds", "How long the node's lease still holds; 0 if it does not.")
LEASES_LOST = _counter("wire_node_leases_lost_total", "How often the node's lease was over while it ran tasks.")
RENEWALS = _histogram(
    "wire_node_renewal_delay_seconds", "How late the node's lease was renewed: from when it was due until confirmed."
)
LEASES_HELD = _gauge("wire_leader_leases", "Nodes whose lease holds. On the leader only.")
UNPLACED = _gauge("wire_leader_unplaced_tasks", "Tasks that may run on no node that is there. On the leader only.")
DECISIONS = _histogram("wire_leader_decision_seconds", "How long it took to decide who runs what.")

# the node

PORT_CONNECTIONS = _counter("wire_port_connections_total", "Connections that were let in, by protocol.", "protocol")
PORT_REFUSED = _counter(
    "wire_port_refused_connections_total", "Connections turned away before they said a word, by code.", "code"
)
RPC_REQUESTS = _histogram("wire_rpc_request_seconds", "How long it took to answer another node.", "method")
RPC_FAILURES = _counter("wire_rpc_failures_total", "Requests of other nodes that failed, by code.", "code")
RPC_REFUSED = _counter("wire_rpc_refused_connections_total", "Connections for calls turned away, by code.", "code")
HTTP_REQUESTS = _counter("wire_http_requests_total", "Requests of the API.", "route", "method", "status")
HTTP_SECONDS = _histogram("wire_http_request_seconds", "How long it took to answer a request.", "route", "method")
HTTP_CONNECTIONS = _gauge("wire_http_connections", "Connections that are open.")
LOOP_DELAY = _histogram("wire_node_loop_delay_seconds", "How late the node's event loop was, looked at twice a second.")
CERTIFICATE_EXPIRES = _gauge(
    "wire_certificate_expiry_timestamp_seconds", "When the node's certificate expires, as a Unix time."
)
CERTIFICATE_LEFT = _gauge("wire_certificate_left_seconds", "How long the node's certificate is still good.")
BUILD = _gauge("wire_build_info", "1; the labels say what runs.", "version", "python", "node")
