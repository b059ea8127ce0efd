#!/usr/bin/env python3
"""A stand-in server and clients around one pubshim; prints what it costs the system.

usage: load.py PUBSHIM      (syscalls.sh builds it and looks for strace first)

Server and clients say the least that a login, a presence node and a message need, and understand
nothing else. All of it is on 127.0.0.1, with ports the system picks.
"""
import asyncio
import contextlib
import re
import resource
import signal
import sys
import tempfile

SINGLE, BATCHES, BATCH = 500, 100, 16
SESSIONS, WARM_UP, AT_ONCE = 1000, 20, 20
PATIENCE = 60  # seconds for any one step
SETTLE = 2  # seconds until what a login needed is given back

HEADER = (
    "<?xml version='1.0'?><stream:stream {}='localhost' version='1.0' xml:lang='en' xmlns='jabber:client' "
    "xmlns:stream='http://etherx.jabber.org/streams'>"
)
SASL, BIND = "urn:ietf:params:xml:ns:xmpp-sasl", "urn:ietf:params:xml:ns:xmpp-bind"
BODY = "Neither, fair maid, if either thee displease. " * 3
MESSAGE = (
    "<message from='romeo@localhost/mobile' to='juliet@localhost' type='chat' id='f5b1a0c2-57d6-4a5e'>"
    f"<body>{BODY}</body><active xmlns='http://jabber.org/protocol/chatstates'/></message>"
).encode()
AVATAR = MESSAGE.replace(BODY.encode(), b"x" * 32 * 1024)
PRESENCE = "<presence id='p1'><show>away</show><status>Moping</status><priority>5</priority></presence>"
NODE = (
    "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><configure node='presence'>"
    "<x xmlns='jabber:x:data' type='form'><field var='pubsub#access_model'><value>authorize</value></field>"
    "</x></configure></pubsub>"
)
PUBSUB, EVENT = "http://jabber.org/protocol/pubsub", "http://jabber.org/protocol/pubsub#event"
# Calls that move bytes of a socket; a plain `write` wakes another thread.
KINDS = {"recvfrom": "reads", "sendto": "writes", "epoll_wait": "waits", "epoll_pwait": "waits"}


class End(asyncio.Protocol):
    """One end of a stream. What comes before the count is awaited is text, then only its length."""

    def __init__(self):
        self.text, self.length, self.waiter, self.has_ended = "", 0, None, False

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, exc):
        self.has_ended = True
        self.wake()

    def data_received(self, data):
        self.length += len(data)
        self.text += data.decode()
        self.wake()

    def wake(self):
        if self.waiter and not self.waiter.done():
            self.waiter.set_result(None)

    def send(self, *parts):
        self.transport.write("".join(parts).encode())

    async def wait(self, is_there):
        async with asyncio.timeout(PATIENCE):
            while not is_there():
                if self.has_ended:
                    raise ConnectionError(f"the connection ended after {self.text!r}")
                self.waiter = asyncio.get_running_loop().create_future()
                await self.waiter

    async def expect(self, pattern):
        """Waits for `pattern`, and takes it and all before it."""
        found = None

        def is_there():
            nonlocal found
            found = re.search(pattern, self.text)
            return found is not None

        await self.wait(is_there)
        self.text = self.text[found.end() :]
        return found

    async def transfer(self, to, data):
        """Sends `data` in one write and waits until it has arrived."""
        to.length, to.text = 0, ""
        self.transport.write(data)
        await to.wait(lambda: to.length >= len(data))


class Server(End):
    """The server's end; once logged in it answers all that a presence node is asked."""

    def __init__(self, accepted):
        super().__init__()
        self.accepted = accepted

    def connection_made(self, transport):
        super().connection_made(transport)
        self.accepted.put_nowait(self)

    async def let_in(self, name):
        await self.expect("<stream:stream[^>]*>")
        self.send(
            HEADER.format("from"),
            f"<stream:features><mechanisms xmlns='{SASL}'><mechanism>PLAIN</mechanism></mechanisms>",
            "</stream:features>",
        )
        await self.expect("</auth>")
        self.send(f"<success xmlns='{SASL}'/>")
        await self.expect("<stream:stream[^>]*>")
        self.send(HEADER.format("from"), f"<stream:features><bind xmlns='{BIND}'/></stream:features>")
        await self.expect("</iq>")
        self.send(
            f"<iq type='result' id='b'><bind xmlns='{BIND}'><jid>{name}@localhost/mobile</jid></bind></iq>"
        )

    async def answer(self, payload=None):
        """Answers the next request, by default with what `payload_for` gives; gives the request."""
        found = await self.expect("<iq type='[gs]et' id='([^']*)'(?: to='([^']*)')?.*?</iq>")
        sender = f" from='{found[2]}'" if found[2] else ""
        payload = payload_for(found[0]) if payload is None else payload(found[0])
        self.send(f"<iq type='result' id='{found[1]}'{sender}>{payload}</iq>")
        return found[0]


def payload_for(iq, contacts=0):
    """What answers a request: the presence node is right, so many contacts have a subscription both ways."""
    if "<configure node=" in iq:
        return NODE
    if asked := re.search("<pubsub xmlns='([^']*)'><(affiliations|subscriptions)( node='[^']*')?", iq):
        return f"<pubsub xmlns='{asked[1]}'><{asked[2]}{asked[3] or ''}/></pubsub>"
    if node := re.search("<items node='([^']*)'", iq):
        return f"<pubsub xmlns='{PUBSUB}'><items node='{node[1]}'/></pubsub>"
    if "<blocklist" in iq:
        return "<blocklist xmlns='urn:xmpp:blocking'/>"
    if "jabber:iq:roster" in iq:
        people = (f"<item jid='contact{n}@localhost' name='Contact {n}' subscription='both'/>" for n in range(contacts))
        return f"<query xmlns='jabber:iq:roster'>{''.join(people)}</query>"
    if query := re.search("<query xmlns='([^']*)'", iq):
        return f"<query xmlns='{query[1]}'/>"
    return ""


class Client(End):
    async def log_in(self, header=HEADER.format("to"), secret="AHIAcg==", resource=""):
        self.send(header)
        await self.expect("</stream:features>")
        self.send(f"<auth xmlns='{SASL}' mechanism='PLAIN'>{secret}</auth>")
        await self.expect("<success[^>]*>")
        self.send(header)
        await self.expect("</stream:features>")
        self.send(f"<iq type='set' id='b'><bind xmlns='{BIND}'>{resource}</bind></iq>")
        await self.expect("</iq>")


async def start_shim(program, *options):
    """A running pubshim and its port."""
    log = tempfile.TemporaryFile()
    options = ["--listen", "127.0.0.1:0", *options]
    process = await asyncio.create_subprocess_exec(program, "run", *options, stderr=log)

    def read_log():
        log.seek(0)
        return log.read().decode()

    async with asyncio.timeout(PATIENCE):
        while not (found := re.search(r"listening on \S*:(\d+)", read_log())):
            if process.returncode is not None:
                sys.exit(f"load.py: pubshim ended: {read_log()}")
            await asyncio.sleep(0.05)
    return process, int(found[1])


class Shim:
    """A running pubshim and a server for it. Logins are paired with their accepted connections in turn."""

    def __init__(self, program, *options):
        self.program, self.options = program, options
        self.turn = asyncio.Lock()
        self.count = 0

    async def __aenter__(self):
        self.accepted = asyncio.Queue()
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(
            lambda: Server(self.accepted), "127.0.0.1", 0, backlog=SESSIONS
        )
        self.listener = listener
        port = listener.sockets[0].getsockname()[1]
        await self.start(port)
        return self

    async def start(self, port):
        options = ["--server", f"plain://127.0.0.1:{port}", "--max-sessions", str(2 * SESSIONS)]
        self.process, self.port = await start_shim(self.program, *options, *self.options)

    async def __aexit__(self, *_):
        self.listener.close()
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()

    async def log_in(self):
        loop = asyncio.get_running_loop()
        async with self.turn:
            # The client's header makes pubshim connect; only then the next may.
            _, client = await loop.create_connection(Client, "127.0.0.1", self.port)
            login = asyncio.create_task(client.log_in())
            async with asyncio.timeout(PATIENCE):
                server = await self.accepted.get()
            self.count += 1
            name = f"romeo{self.count}"
        await asyncio.gather(login, server.let_in(name))
        return client, server

    async def log_in_many(self, count):
        limit = asyncio.Semaphore(AT_ONCE)

        async def one():
            async with limit:
                return await self.log_in()

        return await asyncio.gather(*(one() for _ in range(count)))

    def memory(self, key="VmRSS"):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(re.search(rf"{key}:\s*(\d+) kB", status.read())[1])

    async def count_calls(self, work):
        """The system calls pubshim makes during `work`, by name."""
        with tempfile.NamedTemporaryFile(mode="r") as table:
            arguments = ["-c", "-f", "-o", table.name, "-p", str(self.process.pid)]
            strace = await asyncio.create_subprocess_exec(
                "strace", *arguments, stderr=asyncio.subprocess.PIPE
            )
            async with asyncio.timeout(PATIENCE):
                first = await strace.stderr.readline()
                if b"attached" not in first:
                    sys.exit(f"load.py: strace: {first.decode()}")
                await work
            strace.send_signal(signal.SIGINT)
            await strace.communicate()
            rows = re.findall(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(\d*) +(\w+)$", table.read(), re.M)
        return {name: (int(calls), int(errors or 0)) for calls, errors, name in rows if name != "total"}


async def become_available(client, server):
    """Sends the first presence and plays the server until it is published, and the node's items are asked for."""
    client.send(PRESENCE)
    while "<items node='presence'" not in await server.answer():
        pass


async def report_calls(shim):
    client, server = await shim.log_in()
    await become_available(client, server)
    print(f"System calls for each write of the sender; one stanza is {len(MESSAGE)} bytes")
    print(f"{'':28}{'reads':>8}{'writes':>8}{'waits':>8}{'other':>8}")

    async def send(sender, receiver, data, count):
        for _ in range(count):
            await sender.transfer(receiver, data)

    for count, size, what in ((SINGLE, 1, "one stanza"), (BATCHES, BATCH, f"{BATCH} stanzas")):
        for ends, way in (((client, server), "to server"), ((server, client), "to client")):
            await send(*ends, MESSAGE * size, 10)
            calls = await shim.count_calls(send(*ends, MESSAGE * size, count))
            sums = dict.fromkeys(("reads", "writes", "waits", "other"), 0)
            for name, (number, _) in calls.items():
                sums[KINDS.get(name, "other")] += number
            numbers = "".join(f"{number / count:8.2f}" for number in sums.values())
            names = (
                f"{name} {number}" + (f" ({failed} failed)" if failed else "")
                for name, (number, failed) in calls.items()
            )
            print(f"{what}, {way}".ljust(28) + numbers + "   " + ", ".join(names))


async def report_memory(shim):
    print(f"Resident memory for each of {SESSIONS} idle sessions, after {WARM_UP} others")
    await asyncio.gather(*(become_available(*ends) for ends in await shim.log_in_many(WARM_UP)))
    await asyncio.sleep(SETTLE)
    before = shim.memory()
    sessions = await shim.log_in_many(SESSIONS)

    async def nothing(_client, _server):
        pass

    async def pass_avatars(client, server):
        await server.transfer(client, AVATAR)
        await client.transfer(server, AVATAR)

    for state, step in (
        ("logged in", nothing),
        ("presence published", become_available),
        (f"{len(AVATAR) >> 10} KiB passed each way", pass_avatars),
    ):
        for ends in sessions:
            await step(*ends)
        await asyncio.sleep(SETTLE)
        now = shim.memory()
        print(f"{state:28}{(now - before) / SESSIONS:8.2f} KiB   ({before} kB before, {now} kB after)")


def raise_limits():
    # Two sockets a session at pubshim's side, two at ours.
    wanted = 4 * SESSIONS
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < wanted:
        sys.exit(f"load.py: needs {wanted} open files, the limit is {most}: raise it with ulimit -n")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


async def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    raise_limits()
    for report in (report_calls, report_memory):
        async with Shim(sys.argv[1]) as shim:
            await report(shim)


if __name__ == "__main__":
    asyncio.run(main())
