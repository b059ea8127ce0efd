#!/usr/bin/env python3
"""Processor time of pubshim beside that of haproxy, which only copies bytes (mode tcp), in interleaved rounds.

usage: beside.py PUBSHIM      (a release build; needs haproxy)

Both have one thread and the same stand-in server and clients: 32 that say something at the same time. A round trip is a
stanza to the server and one back; through pubshim presence goes as a publish and comes as an event.
"""
import asyncio
import contextlib
import os
import shutil
import socket
import statistics
import sys
import tempfile
import time

import idle
import load

CLIENTS, ROUNDS, TRIPS, LOGINS = 32, 15, 30, 4
CONTACT = "contact0@localhost/balcony"
CONFIGURATION = """
defaults
    mode tcp
    timeout connect 60s
    timeout client 600s
    timeout server 600s
    maxconn 1000
global
    nbthread 1
frontend clients
    bind fd@{listener}
    default_backend server
backend server
    server it 127.0.0.1:{port}
"""


class Haproxy(load.Shim):
    """haproxy in the place of pubshim."""

    async def start(self, port):
        listener = socket.create_server(("127.0.0.1", 0), backlog=CLIENTS)
        with tempfile.NamedTemporaryFile("w", suffix=".cfg") as file:
            file.write(CONFIGURATION.format(listener=listener.fileno(), port=port))
            file.flush()
            process = await asyncio.create_subprocess_exec(
                "haproxy", "-db", "-q", "-f", file.name, pass_fds=[listener.fileno()]
            )
            # The kernel keeps who connects before haproxy accepts; one that was let in shows that the file was read.
            self.process, self.port = process, listener.getsockname()[1]
            with contextlib.closing(listener):
                await self.log_in()

    async def become_available(self, client, server):
        pass

    async def hear(self, server, number):
        await server.expect("</presence>")
        server.send(presence(number, f" from='{CONTACT}'"))


class Pubshim(load.Shim):
    async def become_available(self, client, server):
        """Publishes a first presence, and shows the contact's."""
        client.send(load.PRESENCE)
        quiet = idle.Quiet()
        answering = asyncio.create_task(idle.serve(server, "romeo", 1, quiet))
        # What is known of the contact is asked for once an event came.
        server.send(event(-1))
        await client.expect("</presence>")
        await quiet.wait()
        answering.cancel()
        await asyncio.wait([answering])
        client.text = server.text = ""

    async def hear(self, server, number):
        found = await server.expect("<iq type='set' id='([^']*)'><pubsub[^>]*><publish .*?</iq>")
        server.send(f"<iq type='result' id='{found[1]}'/>", event(number))


def presence(number, attributes=""):
    """A presence that differs from the one before."""
    show = "away" if number % 2 else "dnd"
    return f"<presence{attributes}><show>{show}</show><status>Moping</status><priority>5</priority></presence>"


def event(number):
    inner = presence(number, f" xmlns='jabber:client' from='{CONTACT}' id='e{number}'")
    return (
        f"<message from='contact0@localhost' type='headline'><event xmlns='{load.EVENT}'><items node='presence'>"
        f"<item id='balcony'>{inner}</item></items></event></message>"
    )


class Side:
    """One of the two programs, with clients that are logged in."""

    def __init__(self, proxy):
        self.proxy = proxy
        self.number = 0

    async def begin(self):
        self.ends = await self.proxy.log_in_many(CLIENTS)
        await asyncio.gather(*(self.proxy.become_available(*ends) for ends in self.ends))

    async def measure(self, work, trips):
        """Microseconds of processor time for each of so many trips."""
        before = cpu(self.proxy.process.pid)
        await work
        return (cpu(self.proxy.process.pid) - before) / trips / 1000

    async def chat(self):
        async def one(client, server):
            for _ in range(TRIPS):
                await client.transfer(server, load.MESSAGE)
                await server.transfer(client, load.MESSAGE)

        work = asyncio.gather(*(one(*ends) for ends in self.ends))
        return await self.measure(work, CLIENTS * TRIPS)

    async def presence(self):
        first, self.number = self.number, self.number + TRIPS

        async def one(client, server):
            client.text = server.text = ""
            for number in range(first, first + TRIPS):
                client.send(presence(number))
                await self.proxy.hear(server, number)
                await client.expect("</presence>")

        work = asyncio.gather(*(one(*ends) for ends in self.ends))
        return await self.measure(work, CLIENTS * TRIPS)

    async def login(self):
        async def some():
            for client, server in await self.proxy.log_in_many(LOGINS * CLIENTS):
                client.send("</stream:stream>")
                client.transport.close()
                server.transport.close()
            # Until both have noticed.
            await asyncio.sleep(0.2)

        return await self.measure(some(), LOGINS * CLIENTS)


def cpu(pid):
    """Nanoseconds that all threads of a process have run for: its clock is numbered like this in Linux."""
    return time.clock_gettime_ns(~pid << 3 | 2)


async def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if not shutil.which("haproxy"):
        sys.exit("beside.py: haproxy is missing: apt-get install haproxy")
    load.raise_limits()
    os.environ["TOKIO_WORKER_THREADS"] = "1"
    async with Haproxy("haproxy") as haproxy, Pubshim(sys.argv[1]) as pubshim:
        sides = Side(haproxy), Side(pubshim)
        for side in sides:
            await side.begin()
        print(f"Microseconds of processor time, middle of {ROUNDS} rounds, {CLIENTS} clients")
        print(f"{'':24}{'haproxy':>10}{'pubshim':>10}{'times':>8}")
        for what, kind in (("chat each way", Side.chat), ("presence each way", Side.presence), ("login", Side.login)):
            pairs = [[await kind(side) for side in sides] for _ in range(ROUNDS + 1)][1:]
            first, second = (statistics.median(column) for column in zip(*pairs))
            times = statistics.median(b / a for a, b in pairs)
            print(f"{what:24}{first:10.1f}{second:10.1f}{times:8.2f}")


if __name__ == "__main__":
    asyncio.run(main())
