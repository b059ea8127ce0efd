#!/usr/bin/env python3
"""Resident memory of an idle session: with nobody and with 50 people in the roster, and in three rooms.

usage: idle.py PUBSHIM      (a release build)

Against a stand-in server that answers all that a session asks: the presence node is right, 50 contacts of whom each is
subscribed both ways, rooms of 20 occupants. What a session costs is what so many of them do, after some others.
It takes about a quarter of an hour: sessions begin a few at a time, and those in rooms ping each occupant, one a second.
"""
import asyncio
import re
import sys
import time

import load

SESSIONS, WARM_UP, CONTACTS, ROOMS, OCCUPANTS = 200, 20, 50, 3, 20
SERVICE = "chat.localhost"
INFO = (
    "<query xmlns='http://jabber.org/protocol/disco#info'><x xmlns='jabber:x:data'><field var='pubsub#owner'><value>"
    "juliet@localhost</value></field></x></query>"
)


def occupant(node, number):
    room = f"{node.partition('#')[0]}@{SERVICE}"
    full = f"user{number}@localhost/mobile"
    return (
        f"<item id='{full}' publisher='{full}'><presence xmlns='jabber:client' from='{room}/Nick {number}'>"
        f"<status>Moping</status><x xmlns='http://jabber.org/protocol/muc#user'><item jid='{full}'/></x></presence></item>"
    )


def payload_for(iq, contacts):
    """What answers a request, of a room's service, too."""
    if "disco#info" in iq:
        return INFO
    if node := re.search("<items node='([^']*#occupants)'", iq):
        items = "".join(occupant(node[1], n) for n in range(OCCUPANTS))
        return f"<pubsub xmlns='{load.PUBSUB}'><items node='{node[1]}'>{items}</items></pubsub>"
    return load.payload_for(iq, contacts)


class Quiet:
    """Knows when the sessions have last asked for something."""

    last = 0.0

    def note(self):
        self.last = time.monotonic()

    async def wait(self):
        """Until nothing was asked for a while: all is known, and what that needed is given back."""
        self.note()
        while (passed := time.monotonic() - self.last) < load.SETTLE:
            await asyncio.sleep(load.SETTLE - passed)


async def serve(server, name, contacts, quiet):
    """Answers for as long as the session lives."""
    own = f"{name}@localhost/mobile"
    while True:
        iq = await server.answer(lambda iq: payload_for(iq, contacts))
        quiet.note()
        if said := re.search("<publish node='([^']*#occupants)'><item[^>]*>(.*)</item>", iq):
            server.send(
                f"<message from='{SERVICE}' to='{own}' type='headline'><event xmlns='{load.EVENT}'><items node='{said[1]}'>"
                f"<item id='{own}' publisher='{own}'>{said[2]}</item></items></event></message>"
            )


async def weigh(program, contacts, rooms):
    """KiB for each session."""
    load.PATIENCE = 3600
    async with load.Shim(program, "--rooms", SERVICE) as shim:
        tasks, quiet = [], Quiet()

        async def begin(count):
            first = shim.count
            ends = await shim.log_in_many(count)
            for number, (client, server) in enumerate(ends):
                tasks.append(asyncio.create_task(serve(server, f"romeo{first + number + 1}", contacts, quiet)))
                client.send(load.PRESENCE)
                for room in range(rooms):
                    muc = "<x xmlns='http://jabber.org/protocol/muc'/>"
                    client.send(f"<presence to='room{room}@{SERVICE}/Romeo'>{muc}</presence>")
            for client, _ in ends:
                for _ in range(rooms):
                    await client.expect("<subject/></message>")
            await quiet.wait()

        await begin(WARM_UP)
        before = shim.memory()
        # The allocator keeps what a login needs for the next ones: if all logged in at once, their peak would be measured.
        for _ in range(SESSIONS // load.AT_ONCE):
            await begin(load.AT_ONCE)
        used = (shim.memory() - before) / SESSIONS
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return used


async def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    load.raise_limits()
    print(f"Resident memory for each of {SESSIONS} idle sessions, after {WARM_UP} others")
    for what, contacts, rooms in (
        ("nobody in the roster", 0, 0),
        (f"{CONTACTS} contacts", CONTACTS, 0),
        (f"in {ROOMS} rooms of {OCCUPANTS}", 0, ROOMS),
    ):
        print(f"{what:28}{await weigh(sys.argv[1], contacts, rooms):8.1f} KiB")


if __name__ == "__main__":
    asyncio.run(main())
