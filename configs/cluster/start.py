"""Three nodes on this machine, with certificates and two pipelines: `make cluster`. Ctrl-C ends it.

It types what a user would: `wire certs`, `wire serve`, `wire context`, `wire pipeline`. It makes build/cluster.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path("build/cluster")
CERTS = FOLDER / "certs"
CONTEXTS = FOLDER / "contexts.json"
CONFIGS = Path(os.path.relpath(Path(__file__).parent))
NODES = ("node-1", "node-2", "node-3")
FIRST_PORT = 4001
WIRE = Path(sys.executable).with_name("wire")
ENVIRON = {name: value for name, value in os.environ.items() if not name.startswith("WIRE_")}
ENVIRON["WIRE_CONTEXTS"] = str(CONTEXTS)
PATIENCE_S = 60

TRY = """
The nodes run until Ctrl-C. Try, in another terminal:

  export PATH="$PWD/{bin}:$PATH" WIRE_CONTEXTS={contexts}
  wire top                                      # all of it, as it goes
  wire pipeline status delayed-flights --watch
  wire pipeline pause delayed-flights           # and resume
  wire cluster transfer                         # let another node lead
  kill -9 {pid}                                 # {killed} dies; its tasks go on elsewhere
  {serve}    # and is back
  curl --cacert {certs}/ca.pem --cert {certs}/you.pem --key {certs}/you.key {server}/api/v1/cluster"""


def main() -> None:
    """Start the cluster, show it, and keep it until Ctrl-C."""
    FOLDER.parent.mkdir(exist_ok=True)
    with open(f"{FOLDER}.lock", "w") as lock, contextlib.suppress(KeyboardInterrupt):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            sys.exit("another `make cluster` runs here: end it with Ctrl-C")
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir()
        ports = free_ports()
        certify()
        with running(ports) as processes:
            tour(ports, processes)
            wait_for_the_end(processes)


def free_ports() -> list[int]:
    """Return the ports of the nodes: those of their configurations, or others if these are taken."""
    wanted = [FIRST_PORT + n for n in range(len(NODES))]
    with contextlib.ExitStack() as stack:
        try:
            for port in wanted:
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
        except OSError:
            print(f"ports {wanted[0]} to {wanted[-1]} are not all free; others are used instead")
            probes = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in NODES]
            return [probe.getsockname()[1] for probe in probes]
    return wanted


def certify() -> None:
    """Make an authority, a certificate for each node, and one for whoever asks them."""
    wire("certs", "init", "--dir", str(CERTS))
    for name in NODES:
        wire("certs", "issue", name, "--host", "127.0.0.1", "--dir", str(CERTS))
    wire("certs", "issue", "you", "--client", "--dir", str(CERTS))


def serve(n: int, ports: list[int]) -> list[str]:
    """Return the command of a node."""
    command = ["serve", "--config", str(CONFIGS / f"{NODES[n]}.yaml")]
    if ports[0] != FIRST_PORT:
        command += ["--listen", f"127.0.0.1:{ports[n]}", *(["--join", f"127.0.0.1:{ports[0]}"] if n else [])]
    return command


@contextlib.contextmanager
def running(ports: list[int]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run the nodes; the second and third join the first. At the end they are asked to end, then made to."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for n, name in enumerate(NODES):
            print(f"$ wire {shlex.join(serve(n, ports))} 2>{FOLDER / name}.log &", flush=True)
            with open(FOLDER / f"{name}.log", "wb") as log:
                processes.append(
                    subprocess.Popen([WIRE, *serve(n, ports)], env=ENVIRON, stderr=log, start_new_session=True)
                )
        yield processes
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):  # `make` passes on what it gets: none is to be left running
            signal.signal(number, signal.SIG_IGN)
        print("ending the nodes", flush=True)
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()


def tour(ports: list[int], processes: list[subprocess.Popen[bytes]]) -> None:
    """Show the cluster at work, and say what can be tried."""
    files = ["--ca", f"{CERTS}/ca.pem", "--cert", f"{CERTS}/you.pem", "--key", f"{CERTS}/you.key"]
    servers = [word for port in ports for word in ("--server", f"https://127.0.0.1:{port}")]
    wire("context", "set", "make-cluster", *servers, *files)
    wait_for_votes()
    wire("cluster", "status")
    for name in ("delayed-flights", "cancelled-flights"):
        wire("pipeline", "apply", str(CONFIGS / f"{name}.yaml"), "--wait")
        wire("pipeline", "tasks", name)
    busy = NODES.index(asked("pipeline", "status", "delayed-flights")["nodes"][0])
    print(
        TRY.format(
            bin=os.path.relpath(WIRE.parent),
            contexts=CONTEXTS,
            certs=CERTS,
            server=f"https://127.0.0.1:{ports[0]}",
            pid=processes[busy].pid,
            killed=NODES[busy],
            serve=f"wire {shlex.join(serve(busy, ports))}",
        ),
        flush=True,
    )


def wait_for_votes() -> None:
    """Return once all nodes vote."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        roles = [each["role"] for each in asked("cluster", "members", "--patience", f"{PATIENCE_S}s")]
        if roles.count("voter") == len(NODES) - 1:
            return
        time.sleep(0.5)
    sys.exit(f"the nodes don't come together: look at {FOLDER}/*.log")


def wait_for_the_end(processes: list[subprocess.Popen[bytes]]) -> None:
    """Say it of each node that ends by itself, until Ctrl-C."""
    alive = dict(zip(NODES, processes, strict=True))
    while True:
        time.sleep(0.5)
        for name in [name for name, process in alive.items() if process.poll() is not None]:
            print(f"{name} has ended, with {alive.pop(name).returncode}", flush=True)


def wire(*words: str) -> None:
    """Type a command: show it, and what it prints."""
    print(f"$ wire {shlex.join(words)}", flush=True)
    if subprocess.run([WIRE, *words], env=ENVIRON, check=False).returncode:
        sys.exit(f"that failed: the nodes' logs are {FOLDER}/*.log")
    print(flush=True)


def asked(*words: str) -> Any:
    """Return what a command finds, without showing it."""
    done = subprocess.run([WIRE, *words, "-o", "json"], env=ENVIRON, check=False, stdout=subprocess.PIPE)
    if done.returncode:
        sys.exit(f"`wire {shlex.join(words)}` failed: the nodes' logs are {FOLDER}/*.log")
    return json.loads(done.stdout)


if __name__ == "__main__":
    main()
