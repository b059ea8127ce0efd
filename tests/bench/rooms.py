#!/usr/bin/env python3
"""What a room costs: memory of a session in which much is said, and how long a join takes.

usage: rooms.py PUBSHIM      (a release build)

The first against a stand-in server, the second against an ejabberd of its own, as Debian has it and configured as
for the tests of tests/servers: a room of nodes through pubshim, beside a native one without.
"""
import asyncio
import base64
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import ssl
import statistics
import sys
import tempfile
import time
import urllib.request

import load

MESSAGES, ROUNDS = 10_000, 3
OCCUPANTS, RESOURCES, HISTORY, JOINS = 200, 5, 50, 10
DOMAIN = "shakespeare.lit"
MUC = "<x xmlns='http://jabber.org/protocol/muc'/>"
SELF = "<status code='110'/>"
HERE = pathlib.Path(__file__).parent


def event(service, to, node, item, publisher, payload):
    return (
        f"<message from='{service}' to='{to}' type='headline'><event xmlns='{load.EVENT}'><items node='{node}'>"
        f"<item id='{item}' publisher='{publisher}'>{payload}</item></items></event></message>"
    )


async def report_memory(program):
    service, own = "chat.localhost", "romeo1@localhost/mobile"
    room = f"characters@{service}"
    async with load.Shim(program, "--rooms", service) as shim:
        client, server = await shim.log_in()

        async def answer():
            found = await server.expect(f"<iq type='[gs]et' id='([^']*)' to='{service}'>(.*?)</iq>")
            server.send(f"<iq type='result' id='{found[1]}' from='{service}'/>")
            return found[2]

        client.send(f"<presence to='{room}/R'>{MUC}</presence>")
        for _ in range(4):
            await answer()
        payload = re.search("<presence .*</presence>", await answer())[0]
        server.send(event(service, own, "characters#occupants", own.split("/", 1)[0], own, payload))
        await client.expect(SELF)
        await client.expect("<subject/></message>")

        async def hear(number):
            said = f"<message xmlns='jabber:client' from='{room}/J' type='groupchat'><body>{number}</body></message>"
            server.send(event(service, own, "characters", f"id{number}", "juliet@localhost/x", said))
            await client.expect(f"<body>{number}</body>.*?</message>")

        async def say(number):
            client.send(f"<message to='{room}' type='groupchat' id='{number}'><body>{number}</body></message>")
            said = re.search("<item id='([^']*)'>(.*)</item>", await answer())
            server.send(event(service, own, "characters", said[1], own, said[2]))
            await client.expect(f"<body>{number}</body>.*?</message>")

        print(f"Resident memory of a pubshim after each {MESSAGES} messages of one session, half of them its own")
        number = 0
        for _ in range(ROUNDS + 1):
            print(f"{number:10}{shim.memory():10} kB")
            for number in range(number + 1, number + 1 + MESSAGES):
                await (hear, say)[number % 2](number)


class Peer(load.Client):
    """A client of a real server; once it is deaf nothing is kept of what it is told."""

    is_deaf = False

    def data_received(self, data):
        if not self.is_deaf:
            super().data_received(data)

    async def ask(self, to, payload, kind="set"):
        self.send(f"<iq type='{kind}' id='ask' to='{to}'>{payload}</iq>")
        answer = await self.expect("<iq [^>]*id='ask'[^>]*?(/>|>.*?</iq>)")
        if "type='error'" in answer[0]:
            sys.exit(f"rooms.py: the server refuses {payload}: {answer[0]}")


class Ejabberd:
    """An ejabberd of our own, with the configuration of tests/servers."""

    async def __aenter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="pubshim-bench-")
        folder = pathlib.Path(self.folder.name)
        names = ",".join(f"DNS:{name}" for name in (DOMAIN, f"*.{DOMAIN}"))
        await self.run(
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={DOMAIN}"),
            *("-addext", f"subjectAltName={names}", "-keyout", folder / "cert.key", "-out", folder / "cert.crt"),
        )
        config = (HERE / "../servers/ejabberd.yml.in").read_text().replace("@DIR@", str(folder))
        self.ports = {}
        for name, port in zip(("PORT", "TLS_PORT", "API_PORT", "COMPONENT_PORT"), free_ports(4)):
            config = config.replace(f"@{name}@", str(port))
            self.ports[name] = port
        (folder / "ejabberd.yml").write_text(config)
        control = pathlib.Path("/usr/sbin/ejabberdctl").read_text()
        libraries = re.search("^ERL_LIBS='?(.*?)'?$", control, re.M)[1]
        environment = os.environ | {
            "EJABBERD_CONFIG_PATH": str(folder / "ejabberd.yml"),
            "EJABBERD_LOG_PATH": str(folder / "ejabberd.log"),
            "ERL_CRASH_DUMP_BYTES": "0",
            "ERL_LIBS": libraries,
            "HOME": str(folder),
        }
        arguments = ("+K", "true", "+S", "2:2", "+sbwt", "none", "-noinput")
        arguments += ("-mnesia", "dir", f'"{folder}/spool"', "-s", "ejabberd")
        quiet = asyncio.subprocess.DEVNULL
        self.process = await asyncio.create_subprocess_exec(
            "erl", *arguments, env=environment, stdout=quiet, stderr=quiet
        )
        async with asyncio.timeout(load.PATIENCE):
            while True:
                with contextlib.suppress(OSError):
                    for port in self.ports.values():
                        _, writer = await asyncio.open_connection("127.0.0.1", port)
                        writer.close()
                    break
                await asyncio.sleep(0.2)
        return self

    async def __aexit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        await self.process.wait()
        self.folder.cleanup()

    @property
    def ca_file(self):
        return f"{self.folder.name}/cert.crt"

    async def run(self, *command):
        process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
        if await process.wait():
            sys.exit(f"rooms.py: {command[0]} failed")

    def register(self, user):
        body = json.dumps({"user": user, "host": DOMAIN, "password": "pw"}).encode()
        headers = {"Content-Type": "application/json"}
        url = f"http://127.0.0.1:{self.ports['API_PORT']}/api/register"
        urllib.request.urlopen(urllib.request.Request(url, body, headers)).close()

    async def log_in(self, user, resource, port=None):
        """Over TLS to the server, or in plain text to a shim's port."""
        context, name = None, None
        if port is None:
            context, name = ssl.create_default_context(cafile=self.ca_file), DOMAIN
        _, peer = await asyncio.get_running_loop().create_connection(
            Peer, "127.0.0.1", port or self.ports["TLS_PORT"], ssl=context, server_hostname=name
        )
        header = load.HEADER.format("to").replace("localhost", DOMAIN)
        secret = base64.b64encode(f"\0{user}\0pw".encode()).decode()
        await peer.log_in(header, secret, f"<resource>{resource}</resource>")
        return peer


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [it.getsockname()[1] for it in sockets]
    for it in sockets:
        it.close()
    return ports


def publish(node, item, payload):
    return (
        f"<pubsub xmlns='{load.PUBSUB}'><publish node='{node}'><item id='{item}'>{payload}</item></publish></pubsub>"
    )


async def fill(peers):
    """Has everybody join both rooms, the one of nodes as a shim would; messages are said before."""
    nodes, native = f"characters@chat.{DOMAIN}", f"characters@muc.{DOMAIN}"
    service, owner = f"chat.{DOMAIN}", peers[0][0]
    fields = {
        "access_model": "open", "publish_model": "open", "max_items": "1000", "persist_items": "1",
        "send_last_published_item": "never", "notification_type": "headline", "presence_based_delivery": "0",
        "itemreply": "publisher", "notify_retract": "1",
    }  # fmt: skip
    form = "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>"
    form += "http://jabber.org/protocol/pubsub#node_config</value></field>"
    for name, value in fields.items():
        form += f"<field var='pubsub#{name}'><value>{value}</value></field>"
    form += "</x>"
    for node in ("characters", "characters#occupants"):
        await owner.ask(
            service, f"<pubsub xmlns='{load.PUBSUB}'><create node='{node}'/><configure>{form}</configure></pubsub>"
        )
    for number, (peer, full) in enumerate(peers):
        said = (
            f"<presence xmlns='jabber:client' from='{nodes}/Nick {number}'><show>away</show><status>Moping</status>"
            f"<x xmlns='http://jabber.org/protocol/muc#user'><item jid='{full}'/></x></presence>"
        )
        await peer.ask(service, publish("characters#occupants", full, said))
    for number in range(HISTORY):
        said = (
            f"<message xmlns='jabber:client' from='{nodes}/Nick {number}' type='groupchat' id='h{number}'><body>"
            f"Neither, fair maid {number}</body><delay xmlns='urn:xmpp:delay' stamp='2026-11-29T12:00:00Z'/>"
            "</message>"
        )
        await peers[number][0].ask(service, publish("characters", f"h{number}", said))
    for peer, full in peers:
        for node in ("characters", "characters#occupants"):
            await peer.ask(service, f"<pubsub xmlns='{load.PUBSUB}'><subscribe node='{node}' jid='{full}'/></pubsub>")
    # A stock service lets 200 into a native room.
    for number, (peer, _) in enumerate(peers[: OCCUPANTS - 1]):
        peer.text = ""
        peer.send(f"<presence to='{native}/Nick {number}'>{MUC}<show>away</show><status>Moping</status></presence>")
        await peer.expect("<subject")
        if number == 0:
            form = "<x xmlns='jabber:x:data' type='submit'/>"
            await peer.ask(native, f"<query xmlns='http://jabber.org/protocol/muc#owner'>{form}</query>")
    for number in range(HISTORY):
        peer = peers[number][0]
        peer.send(f"<message to='{native}' type='groupchat'><body>Neither, fair maid {number}</body></message>")
        await peer.expect(f"fair maid {number}<")
    for peer, _ in peers:
        peer.is_deaf, peer.text = True, ""
    return nodes, native


async def measure(peer, room):
    """Milliseconds to the own presence, and to the subject behind the history; presences and messages."""
    to_self, to_subject = [], []
    for _ in range(JOINS):
        # The server's shaper lets a burst through again after this pause.
        await asyncio.sleep(1.5)
        peer.text = ""
        start = time.perf_counter()
        peer.send(f"<presence to='{room}/Romeo'>{MUC}</presence>")
        await peer.wait(lambda: "code='110'" in peer.text)
        to_self.append(1000 * (time.perf_counter() - start))
        await peer.wait(lambda: "<subject" in peer.text)
        to_subject.append(1000 * (time.perf_counter() - start))
        counts = peer.text.count("<presence "), peer.text.count("<body>")
        peer.send(f"<presence to='{room}/Romeo' type='unavailable'/>")
        await peer.expect("type='unavailable'")
    return to_self, to_subject, counts


async def report_joins(program):
    async with Ejabberd() as server:
        users = OCCUPANTS // RESOURCES
        for user in (*(f"user{number}" for number in range(users)), "romeo"):
            server.register(user)
        peers = []
        for number in range(OCCUPANTS):
            user, resource = f"user{number // RESOURCES}", f"r{number % RESOURCES}"
            peers.append((await server.log_in(user, resource), f"{user}@{DOMAIN}/{resource}"))
        nodes, native = await fill(peers)
        address = f"tls://127.0.0.1:{server.ports['TLS_PORT']}"
        options = ("--server", address, "--ca-file", server.ca_file, "--rooms", f"chat.{DOMAIN}")
        process, port = await load.start_shim(program, *options)
        print(f"Join of a room on ejabberd with {OCCUPANTS} in it, ms: median and longest of {JOINS}")
        print(f"{'':24}{'own presence':>18}{'subject':>18}{'presences':>12}{'messages':>10}")
        try:
            for name, room, port in (("nodes through pubshim", nodes, port), ("native", native, None)):
                peer = await server.log_in("romeo", "bench", port)
                peer.send("<presence/>")
                *times, counts = await measure(peer, room)
                columns = "".join(f"{statistics.median(it):9.1f}{max(it):9.1f}" for it in times)
                print(f"{name:24}{columns}{counts[0]:12}{counts[1]:10}")
        finally:
            process.kill()
            await process.wait()


async def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    await report_memory(sys.argv[1])
    await report_joins(sys.argv[1])


if __name__ == "__main__":
    asyncio.run(main())
