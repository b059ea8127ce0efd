#!/usr/bin/env python3
"""A bot by aioxmpp: it prints its roster and what is said to it, answers questions, and logs out on any other message.

usage: with_aioxmpp.py JID PASSWORD SECURITY OVERRIDE

The last two are what the README says: the first with `password`, the second an argument of the client."""
import asyncio
import sys
import warnings

sys.stderr = sys.stdout  # one stream, so that a warning stands where it happened
warnings.simplefilter("ignore")  # aioxmpp is older than the libraries it uses

import aioxmpp
import aioxmpp.dispatcher


async def main():
    jid, password, security, override = sys.argv[1:]
    names = {"aioxmpp": aioxmpp, "jid": aioxmpp.JID.fromstr(jid), "password": password}
    client = eval(f"aioxmpp.PresenceManagedClient(jid, {security}, {override})", names)
    roster = client.summon(aioxmpp.RosterClient)
    roster.on_initial_roster_received.connect(lambda: print([it.name for it in roster.items.values()], flush=True))
    farewell = asyncio.Event()

    def said(message):
        body = message.body.any() if message.body else ""
        print(body, flush=True)
        if body.endswith("?"):
            reply = aioxmpp.Message(to=message.from_, type_=aioxmpp.MessageType.CHAT)
            reply.body[None] = "What satisfaction?"
            client.enqueue(reply)
        elif body:
            farewell.set()

    dispatcher = client.summon(aioxmpp.dispatcher.SimpleMessageDispatcher)
    dispatcher.register_callback(aioxmpp.MessageType.CHAT, None, said)
    async with client.connected():
        await farewell.wait()


asyncio.run(main())
