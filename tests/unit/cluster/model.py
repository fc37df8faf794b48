"""The cluster's state once more, as dumb as can be: lists of dicts, searched from end to end.

Written from what the commands promise, not from how they are carried out: each one changes what it names and nothing
else, and then `settle` puts right all that follows from it.
"""

from __future__ import annotations

from msgspec.structs import asdict

from tests.unit.cluster.model_rows import Row, find, refused
from tests.unit.cluster.model_tasks import Tasks
from wire.cluster import commands as c
from wire.cluster.commands import Answer, Done


class Model(Tasks):
    def do(self, index: int, command: c.AnyCommand) -> Answer:
        self.now = max(self.now, command.at_ms)
        self.index = index
        self.command = command
        answer: Answer = getattr(self, str(command.__struct_config__.tag))(command)
        self.settle()
        return answer

    # nodes

    def register_node(self, command: c.RegisterNode) -> Answer:
        if command.newest_command < self.version:
            return refused("node_too_old")
        known = find(self.nodes, name=command.name)
        row = {
            "name": command.name,
            "incarnation": command.incarnation,
            "address": command.address,
            "workers": command.workers,
            "labels": command.labels,
            "release": command.release,
            "newest_command": command.newest_command,
            "draining": False,
            "joined_ms": self.now,
            "leaving": False,
        }
        if known is not None and known["incarnation"] == command.incarnation:
            row |= {name: known[name] for name in ("draining", "joined_ms", "leaving")}
        elif known is not None:
            self.take_from(command.name)
        self.nodes = [node for node in self.nodes if node is not known]
        self.nodes.append(row)
        return Done()

    def drain_node(self, command: c.DrainNode) -> Answer:
        node = find(self.nodes, name=command.name)
        if node is None:
            return refused("unknown_node")
        if node["leaving"] and not command.draining:
            return refused("node_leaving")
        if node["draining"] != command.draining:
            node["draining"] = command.draining
            self.changed(command.name, "begun" if command.draining else "ended")
        return Done()

    def leave_node(self, command: c.LeaveNode) -> Answer:
        node = find(self.nodes, name=command.name)
        if node is None:
            return refused("unknown_node")
        if not node["leaving"]:
            node["draining"] = node["leaving"] = True
            self.leave_home(command.name)
            self.changed(command.name)
        return Done()

    def remove_node(self, command: c.RemoveNode) -> Answer:
        node = find(self.nodes, name=command.name)
        if node is not None:
            self.nodes.remove(node)
            self.take_from(command.name)
            self.leave_home(command.name)
            self.changed(command.name)
        return Done()

    def leave_home(self, node: str) -> None:
        for row in [*self.pipelines, *self.kept]:
            if row["home"] == node:
                row["home"] = None

    def enable_commands(self, command: c.EnableCommands) -> Answer:
        if command.version <= self.version:
            return Done()
        if not self.nodes or any(node["newest_command"] < command.version for node in self.nodes):
            return refused("node_too_old")
        self.version = command.version
        self.changed("cluster", f"version {command.version}")
        return Done()

    # backups

    def restore_checkpoints(self, command: c.RestoreCheckpoints) -> Answer:
        if find(self.pipelines, key=command.key):
            return refused("not_empty")
        kept = [] if command.anew else [row for row in self.checkpoints if row["pipeline"] == command.key]
        generations = {row["checkpoint"].generation for row in kept}
        if len(generations | {stored.checkpoint.generation for _, stored in command.rows}) > 1:
            return refused("damaged_backup")
        if command.anew:
            self.kept = [row for row in self.kept if row["pipeline"] != command.key]
            self.checkpoints = [row for row in self.checkpoints if row["pipeline"] != command.key]
        for partition, stored in command.rows:
            known = find(self.checkpoints, pipeline=command.key, partition=partition)
            row = {"epoch": stored.epoch, "checkpoint": stored.checkpoint}
            if known is not None:
                known.update(row)
            else:
                self.checkpoints.append({"pipeline": command.key, "partition": partition, **row})
        return Done()

    def restore_pipelines(self, command: c.RestorePipelines) -> Answer:
        if self.pipelines or self.tasks:
            return refused("not_empty")
        if (
            any(self.job(job) for job in command.jobs)
            or any(
                find([asdict(version) for version in each.versions], number=each.current) is None
                for each in command.pipelines
            )
            or any(
                row["pipeline"] == each.key and row["checkpoint"].generation != each.generation
                for each in command.pipelines
                for row in self.checkpoints
            )
        ):
            return refused("damaged_backup")
        self.epoch = max(self.epoch, command.last_epoch)
        for each, job in zip(command.pipelines, command.jobs, strict=True):
            row = {**asdict(each), "versions": [asdict(version) for version in each.versions]}
            self.pipelines.append({**row, "revision": self.index, "job": None})
            if each.desired == "running":
                self.begin(self.pipelines[-1], job)
        self.changed("cluster", f"{len(command.pipelines)} pipelines")
        return Done()

    # tokens

    def good(self, token: Row) -> bool:
        return self.now < token["expires_ms"] and (token["uses_left"] is None or token["uses_left"] > 0)

    def create_token(self, command: c.CreateToken) -> Answer:
        if find(self.tokens, id=command.id):
            return refused("duplicate_token")
        if len(self.tokens) >= 1000:
            self.tokens = [token for token in self.tokens if self.good(token)]
        if len(self.tokens) >= 1000:
            return refused("too_many_tokens")
        self.tokens.append(
            {
                "id": command.id,
                "salt": command.salt,
                "digest": command.digest,
                "expires_ms": command.expires_ms,
                "uses_left": command.uses,
                "created_by": command.actor,
            }
        )
        self.changed(command.id)
        return Done()

    def use_token(self, command: c.UseToken) -> Answer:
        token = find(self.tokens, id=command.id)
        if token is None:
            return refused("unknown_token")
        if not self.good(token):
            return refused("token_expired" if self.now >= token["expires_ms"] else "token_used_up")
        if token["uses_left"] is not None:
            token["uses_left"] -= 1
        self.changed(command.id)
        return Done()

    def revoke_token(self, command: c.RevokeToken) -> Answer:
        token = find(self.tokens, id=command.id)
        if token is not None:
            self.tokens.remove(token)
            self.changed(command.id)
        return Done()
