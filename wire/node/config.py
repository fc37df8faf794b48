"""How a node is configured: one declaration, from which flags, variables, file, help, schema and documentation come.

`loading` reads them: a flag is worth more than a variable, that more than the file, and that more than the default. A
field `data_dir` is `--data-dir`, `WIRE_DATA_DIR`, and `data_dir` in the file.
"""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from typing import Annotated, Final, Literal

from msgspec import Meta, field

from wire.core.config import Config, MisfitError, Secret, doc
from wire.core.units import Duration, Size
from wire.raft.transport.tls import TlsFiles

DEFAULT_PORT: Final = 4001
_LEAST_REAP_S: Final = 10
_EVERYWHERE: Final = ("", "0.0.0.0", "[::]")  # noqa: S104 (to be recognised)

_NAME: Final = Meta(
    pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$",
    description="a name of lower-case letters, digits, dots and hyphens, such as node-1.",
)
_PORT: Final = r"(\d{1,4}|[0-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])"
_ADDRESS: Final = Meta(
    pattern=rf"^([^\s:\[\]/@]+|\[[0-9A-Fa-f:.]+(%\w+)?\]):{_PORT}$",
    description="host and port, such as 10.0.0.5:4001 or [::1]:4001.",
)
_LISTEN: Final = Meta(
    pattern=rf"^([^\s:\[\]/@]*|\[[0-9A-Fa-f:.]+(%\w+)?\]):{_PORT}$",
    description="host and port, such as 127.0.0.1:4001, or :4001 for every address.",
)
_TOKEN: Final = re.compile(r"[0-9a-f]{16}\.[A-Za-z0-9_-]{43}")
_LABEL: Final = Meta(pattern=r"^[^\s,=]*$", description="text without blanks, commas and equals signs.")
_VARIABLE: Final = Meta(
    pattern=r"^[A-Za-z_][A-Za-z0-9_]*\*?$", description="a variable's name, or how it begins and *."
)
_CALLABLE: Final = Meta(
    pattern=r"^[A-Za-z_][\w.]*(:([A-Za-z_][\w.]*|\*))?$",
    description="a module, or one function of it: module:function.",
)


class NodeConfig(Config, frozen=True, kw_only=True):
    """A node. Without anything it is a cluster of one, reachable from this machine only.

    Paths are as given or, if relative, below the folder the node is started in.
    """

    node_id: Annotated[str | None, doc("The node's name in the cluster; the machine's unless given."), _NAME] = None
    data_dir: Annotated[str, doc("Folder of all that the node keeps.")] = "wire-data"
    listen: Annotated[str, doc("Where to listen, for everything; a host left out means every address."), _LISTEN] = (
        f"127.0.0.1:{DEFAULT_PORT}"
    )
    advertise: Annotated[
        str | None, doc("Where the other nodes reach this one; what it listens at unless given."), _ADDRESS
    ] = None
    join: Annotated[
        list[Annotated[str, _ADDRESS]],
        doc("Nodes to ask for the cluster. One that is in a cluster looks there for members that it can't find."),
    ] = field(default_factory=list)
    bootstrap_expect: Annotated[
        int | None, doc("Found a cluster together with the nodes of `join`, once there are so many."), Meta(ge=1, le=99)
    ] = None
    join_token: Annotated[
        Secret | None, doc("Token to be let into the cluster with; better given as a variable than as a flag.")
    ] = None
    join_requires: Annotated[
        Literal["certificate", "token"],
        doc(
            "What a member asks of nodes that want to join: a certificate of the cluster's authority, or a token, too. "
            "With `insecure` and without tokens, whoever reaches the port can join."
        ),
    ] = "certificate"
    max_voters: Annotated[
        int, doc("How many members vote at most, an odd number; the others only work."), Meta(ge=1, le=9)
    ] = 5
    workers: Annotated[
        int | None, doc("How many processes work; one for each core they may use unless given."), Meta(ge=1, le=1024)
    ] = None
    worker_cpus: Annotated[
        int | None, doc("How many cores the workers may use together; all there are unless given."), Meta(ge=1)
    ] = None
    worker_memory: Annotated[
        Size | None, doc("How much memory a worker may hold before it is replaced by another; no limit unless given.")
    ] = None
    labels: Annotated[
        dict[str, Annotated[str, _LABEL]], doc("What a pipeline's `node_selector` looks at, as in `zone=a,disk=ssd`.")
    ] = field(default_factory=dict)
    ca: Annotated[str | None, doc("File of the cluster's authority, PEM.")] = None
    cert: Annotated[str | None, doc("File of the node's certificate, PEM, which must carry its name.")] = None
    key: Annotated[str | None, doc("File of the certificate's private key, unless it is in `cert`.")] = None
    insecure: Annotated[
        bool, doc("Do without certificates though other machines can reach the node: no secrets, no protection.")
    ] = False
    allow_python: Annotated[
        list[Annotated[str, _CALLABLE]], doc("Python functions that pipelines of the API may call: `module:function`.")
    ] = field(default_factory=list)
    allow_paths: Annotated[
        list[str],
        doc("Folders and files that pipelines of the API may read and write, but for those that are the node's own."),
    ] = field(default_factory=list)
    allow_env: Annotated[
        list[Annotated[str, _VARIABLE]], doc("Variables of the node that pipelines of the API may refer to: `PIPE_*`.")
    ] = field(default_factory=list)
    metrics_open: Annotated[bool, doc("Answer /metrics to everybody: without a certificate, as many scrapers ask.")] = (
        False
    )
    drain_timeout: Annotated[Duration, doc("How long a node that stops waits for its work to be handed over.")] = (
        Duration(30_000)
    )
    reap_after: Annotated[
        Duration | None,
        doc("The leader removes a node for good that it has not heard of for so long; never unless given."),
    ] = None
    version_grace: Annotated[
        Duration,
        doc(
            "How long all tasks of a new version must run without being started anew until it is `proven`: one that "
            "fails before that gives way to the version before. The leader's is what counts."
        ),
    ] = Duration(60_000)
    snapshot_interval: Annotated[
        Duration,
        doc(
            "How long after the last snapshot of the cluster's state another one is taken, if anything is new. Much "
            "that is new is a reason of its own."
        ),
    ] = Duration(3_600_000)
    log_compression: Annotated[
        Literal["none", "zstd"],
        doc("Compress the parts of the cluster's log that are not written to any more; what is there is read anyway."),
    ] = "none"
    log_level: Annotated[Literal["debug", "info", "warning", "error"], doc("What is worth a line in the log.")] = "info"
    log_format: Annotated[
        Literal["auto", "json", "text"], doc("`auto` is text on a terminal and else JSON, a line per event.")
    ] = "auto"

    def __post_init__(self) -> None:
        if self.max_voters % 2 == 0:
            raise MisfitError("`max_voters` is even, which is worth no more than one less", "make it an odd number")
        if self.reap_after is not None and self.reap_after.s < _LEAST_REAP_S:
            hint = f"make it {_LEAST_REAP_S} s or more: what is removed has to join anew"
            raise MisfitError("`reap_after` is so short that a node that is started again could be removed", hint)
        if self.founders is not None and len(set(self.join)) < self.founders - 1:
            message = (
                f"`bootstrap_expect` needs {self.founders - 1} other nodes, and `join` names {len(set(self.join))}"
            )
            raise MisfitError(message, "name all the others with `join`")
        if (self.founders or 0) > self.max_voters:
            message = f"`bootstrap_expect` is more than the {self.max_voters} of `max_voters`, and all founders vote"
            raise MisfitError(message, "let fewer nodes found the cluster, and the others join them")
        if self.join_token is not None and not _TOKEN.fullmatch(self.join_token.reveal()):
            raise MisfitError("`join_token` is no token", "it is what was told when it was made, such as 3f….kR…")
        if self.advertise is not None and int(self.advertise.rpartition(":")[2]) == 0:
            raise MisfitError("`advertise` names no port", "give the one at which others reach this node")
        if (self.ca is None) != (self.cert is None):
            given, absent = ("ca", "cert") if self.cert is None else ("cert", "ca")
            raise MisfitError(f"`{given}` is of no use without `{absent}`", "give both, or none of them")
        if self.key is not None and self.cert is None:
            raise MisfitError("`key` needs the certificate it belongs to", "give `cert` and `ca`, too")
        if self.insecure and self.cert is not None:
            raise MisfitError("`insecure` goes against the certificates that are given", "leave it out")

    @property
    def name(self) -> str:
        """The node's name. Raises ValueError if it is the machine's, and that can't be one."""
        if self.node_id is not None:
            return self.node_id
        name = socket.gethostname().lower()
        if re.search(_NAME.pattern or "", name) is None:
            raise ValueError(f"the machine's name {name!r} can't be a node's")
        return name

    @property
    def founders(self) -> int | None:
        """How many nodes found a cluster together, None if this one does not take part in such a thing."""
        return self.bootstrap_expect if (self.bootstrap_expect or 1) > 1 else None

    def advertised(self, port: str) -> str:
        """Return where the others reach this node, which listens at `port`: at the machine's name, if everywhere."""
        if self.advertise is not None:
            return self.advertise
        host = self.listen.rpartition(":")[0]
        return f"{socket.gethostname() if host in _EVERYWHERE else host}:{port}"

    @property
    def folder(self) -> Path:
        """Where the node keeps what it keeps."""
        return Path(self.data_dir)

    @property
    def worker_count(self) -> int:
        """How many processes work."""
        return self.workers or len(self.worker_cores)

    @property
    def worker_cores(self) -> frozenset[int]:
        """Which cores the workers may use: the first ones of those this process has."""
        return frozenset(sorted(os.sched_getaffinity(0))[: self.worker_cpus])

    @property
    def tls(self) -> TlsFiles | None:
        """The files of the node's certificate, None if it has none."""
        if self.ca is None or self.cert is None:
            return None
        return TlsFiles(Path(self.ca), Path(self.cert), None if self.key is None else Path(self.key))
