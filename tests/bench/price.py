#!/usr/bin/env python3
"""What it costs on the way to the server that presence is pubsub, and what compression makes of it.

usage: price.py PUBSHIM      (a release build)

One session in which a client says what clients say: for each three messages, presence that differs from the last. A
stand-in server answers and compresses (XEP-0138). Bytes to the server, from the client's first presence on. Then the
memory of sessions that are idle after more was said both ways than zlib looks back on.
"""
import asyncio
import random
import sys
import zlib

import load

CHANGES, MESSAGES = 200, 3
SESSIONS, SAID = 200, 80 * 1024
COMPRESS = "http://jabber.org/protocol/compress"
# Enough of a language that sentences differ as people's do.
WORDS = (
    "neither fair maid if either thee displease how camest thou hither tell me and wherefore the orchard walls are "
    "high hard to climb place death considering who art any of my kinsmen find here with love's light wings did I "
    "o'er perch these for stony limits cannot hold out what can do that dares attempt therefore thy no let good night "
    "tomorrow at nine will send by then train lunch meeting moved ten past please call later see you thanks"
).split()
SHOWS = ("away", "xa", "dnd", "chat", "")


def corpus():
    """Stanzas as chat clients write them."""
    dice = random.Random(207)
    say = lambda: " ".join(dice.choices(WORDS, k=dice.randint(2, 18)))
    for number in range(CHANGES):
        for _ in range(MESSAGES):
            name = dice.choice(("juliet", "nurse", "benvolio", "mercutio"))
            unique = f"{dice.getrandbits(128):032x}"
            yield (
                f"<message to='{name}@localhost' type='chat' id='{unique}'><body>{say()}</body>"
                "<active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/>"
                f"<origin-id xmlns='urn:xmpp:sid:0' id='{unique}'/></message>"
            )
        show = dice.choice(SHOWS)
        yield (
            f"<presence id='{dice.getrandbits(64):016x}'>" + (f"<show>{show}</show>" if show else "")
            + f"<status>{say()}</status><priority>5</priority><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' "
            "node='http://pidgin.im/' ver='QgayPKawpkPSDYmwT/WM94uAlu0='/></presence>"
        )


class Server(load.Server):
    """Counts what comes, and compresses from where it is asked to."""

    unpack = None
    came = plain = 0

    def data_received(self, data):
        self.came += len(data)
        if self.unpack:
            data = self.unpack.decompress(data)
        self.plain += len(data)
        super().data_received(data)

    def send(self, *parts):
        data = "".join(parts).encode()
        if self.unpack:
            data = self.pack.compress(data) + self.pack.flush(zlib.Z_SYNC_FLUSH)
        self.transport.write(data)

    async def let_in(self, name):
        features = f"<bind xmlns='{load.BIND}'/>"
        self.send(
            load.HEADER.format("from"),
            f"<stream:features><mechanisms xmlns='{load.SASL}'><mechanism>PLAIN</mechanism></mechanisms>",
            "</stream:features>",
        )
        await self.expect("</auth>")
        self.send(f"<success xmlns='{load.SASL}'/>")
        await self.expect("<stream:stream[^>]*>")
        offer = "<compression xmlns='http://jabber.org/features/compress'><method>zlib</method></compression>"
        self.send(load.HEADER.format("from"), f"<stream:features>{offer}{features}</stream:features>")
        if (await self.expect("</compress>|</iq>"))[0] == "</compress>":
            self.send(f"<compressed xmlns='{COMPRESS}'/>")
            self.pack, self.unpack = zlib.compressobj(), zlib.decompressobj()
            await self.expect("<stream:stream[^>]*>")
            self.send(load.HEADER.format("from"), f"<stream:features>{features}</stream:features>")
            await self.expect("</iq>")
        jid = f"{name}@localhost/mobile"
        self.send(f"<iq type='result' id='b'><bind xmlns='{load.BIND}'><jid>{jid}</jid></bind></iq>")


async def measure(program, *options):
    """Bytes the client sent, bytes pubshim said, bytes that came."""
    load.Server = Server
    async with load.Shim(program, *options) as shim:
        client, server = await shim.log_in()
        server.came = server.plain = sent = 0

        async def answer():
            while "id='the-end'" not in await server.answer():
                pass

        answering = asyncio.create_task(answer())
        for stanza in corpus():
            sent += len(stanza.encode())
            before = server.plain
            client.send(stanza)
            # Each by itself, as people write: nothing is saved by what else is in a batch.
            while server.plain == before:
                await asyncio.sleep(0.001)
        client.send("<iq type='get' id='the-end'><query xmlns='jabber:iq:version'/></iq>")
        await asyncio.wait_for(answering, load.PATIENCE)
        return sent, server.plain, server.came


async def weigh(program, *options):
    """KiB for each session."""
    load.Server = Server
    said = "".join(corpus())[:SAID].rpartition("<")[0].rpartition("</message>")
    said = said[0] + said[1]

    async def talk(client, server):
        server.plain = client.length = 0
        client.send(said)
        server.send(said)
        await server.wait(lambda: server.plain >= len(said))
        await client.wait(lambda: client.length >= len(said))
        server.text = client.text = ""

    async with load.Shim(program, *options) as shim:
        for ends in await shim.log_in_many(load.WARM_UP):
            await talk(*ends)
        await asyncio.sleep(load.SETTLE)
        before = shim.memory()
        for ends in await shim.log_in_many(SESSIONS):
            await talk(*ends)
        await asyncio.sleep(load.SETTLE)
        return (shim.memory() - before) / SESSIONS


async def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print(f"{'':24}{'client':>10}{'pubshim':>10}{'on the way':>12}{'of classic':>12}")
    for name, options in (
        ("off", ("--policy=off",)),
        ("plain", ("--compress=off",)),
        *((f"zlib, level {level}", ("--compress=require", f"--compress-level={level}")) for level in (1, 6, 9)),
    ):
        sent, plain, came = await measure(sys.argv[1], *options)
        print(f"{name:24}{sent:10}{plain:10}{came:12}{came / sent:11.2f}x")
    print(f"Resident memory for each of {SESSIONS} sessions")
    for name, options in (
        ("plain", ("--compress=off",)),
        *((f"zlib, level {level}", ("--compress=require", f"--compress-level={level}")) for level in (1, 6, 9)),
    ):
        print(f"{name:24}{await weigh(sys.argv[1], *options):10.1f} KiB")


if __name__ == "__main__":
    asyncio.run(main())
