"""Machines that are none: network namespaces on one bridge, each with a card of limited speed. Needs root and iproute2, and for ranks over MPI Open MPI."""

import contextlib
import os
import pathlib
import shlex
import subprocess
import tempfile

BURST = 128 << 10  # bytes that pass at once: more than a card hands the queue in one piece (64 KiB)


def ip(*words):
    subprocess.run(["ip", *words], check=True)


class Network:
    """`machines` of them, whose cards send and receive megabits a second at most; 0: as fast as the kernel copies."""

    def __init__(self, machines, megabits):
        self.machines, self.megabits = machines, megabits
        self.prefix = f"apo{os.getpid()}-"
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            bridge = self.namespace(stack, "switch")
            ip("-n", bridge, "link", "add", "switch", "type", "bridge")
            ip("-n", bridge, "link", "set", "switch", "up")
            for i in range(self.machines):
                name = self.namespace(stack, i)
                ip("link", "add", "card", "netns", name, "type", "veth", "peer", "name", f"port{i}", "netns", bridge)
                ip("-n", bridge, "link", "set", f"port{i}", "master", "switch", "up")
                ip("-n", name, "addr", "add", f"{self.address(i)}/24", "dev", "card")
                ip("-n", name, "link", "set", "card", "up")
                for where, device in ((name, "card"), (bridge, f"port{i}")):
                    self.limit(where, device)
            folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
            self.agent = folder / "agent"  # what mpirun has instead of ssh: agent ADDRESS COMMAND…
            self.agent.write_text(f"#!/bin/sh\nexport number=$((${{1##*.}} - 1))\nshift\nexec {self.enter('$number')} sh -c \"$*\"\n")
            self.agent.chmod(0o755)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *reason):
        self.stack.close()

    def namespace(self, stack, name):
        name = f"{self.prefix}{name}"
        ip("netns", "add", name)
        stack.callback(ip, "netns", "del", name)
        ip("-n", name, "link", "set", "lo", "up")
        return name

    def limit(self, where, device):
        if self.megabits:
            words = ["netns", "exec", where, "tc", "qdisc", "add", "dev", device, "root", "tbf", "rate", f"{self.megabits}mbit", "burst", str(BURST), "limit", "4mb"]
            ip(*words)

    @staticmethod
    def address(i):
        return f"10.77.0.{i + 1}"

    def enter(self, i):
        """Words that start a command on machine i, which has a host name of its own."""
        return f"ip netns exec {self.prefix}{i} unshare --uts sh -c 'hostname machine{i}; exec \"$@\"' -"

    def run(self, command, engine, timeout=600):
        """The output of the first of the ranks, one on each machine, which meet over this engine."""
        return {"MPI": self.over_mpi, "Gloo": self.over_gloo}[engine](list(map(str, command)), timeout)

    def over_mpi(self, command, timeout):
        hosts = ",".join(map(self.address, range(self.machines)))
        words = ["mpirun", "--host", hosts, "--bind-to", "none", "--mca", "plm_rsh_agent", str(self.agent), "--mca", "plm_rsh_no_tree_spawn", "1",
                 "--mca", "btl", "tcp,self", "--mca", "btl_tcp_if_include", "10.77.0.0/24", "--mca", "oob_tcp_if_include", "10.77.0.0/24", *command]
        environment = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        return subprocess.run([*shlex.split(self.enter(0)), *words], check=True, stdout=subprocess.PIPE, text=True, env=environment, timeout=timeout).stdout

    def over_gloo(self, command, timeout):
        shared = {**os.environ, "WORLD_SIZE": str(self.machines), "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1", "MASTER_ADDR": self.address(0),
                  "MASTER_PORT": "29500", "GLOO_SOCKET_IFNAME": "card"}
        ranks = [subprocess.Popen([*shlex.split(self.enter(i)), *command], env={**shared, "RANK": str(i)}, stdout=subprocess.PIPE, text=True)
                 for i in range(self.machines)]
        try:
            said = [rank.communicate(timeout=timeout)[0] for rank in ranks]
        finally:
            for rank in ranks:
                rank.kill()
        for rank in ranks:
            if rank.returncode:
                raise subprocess.CalledProcessError(rank.returncode, command)
        return said[0]
