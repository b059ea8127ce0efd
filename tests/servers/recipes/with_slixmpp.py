#!/usr/bin/env python3
"""A bot by slixmpp, of any version: it prints its roster and what is said to it, answers questions, and logs out on
any other message.

usage: with_slixmpp.py JID PASSWORD LINE...

The lines are what the README says, with `client`."""
import asyncio
import sys

sys.stderr = sys.stdout  # one stream, so that a warning stands where it happened

import slixmpp


class Client(slixmpp.ClientXMPP):
    def __init__(self, jid, password):
        super().__init__(jid, password)
        self.add_event_handler("session_start", self.started)
        self.add_event_handler("message", self.said)

    async def started(self, _):
        await self.get_roster()
        print([self.client_roster[jid]["name"] for jid in self.client_roster], flush=True)
        self.send_presence()

    def said(self, message):
        print(message["body"], flush=True)
        if message["body"].endswith("?"):
            message.reply("What satisfaction?").send()
        elif message["body"]:
            self.disconnect()


async def main():
    jid, password, *lines = sys.argv[1:]
    client = Client(jid, password)
    ended = client.disconnected
    exec("\n".join(lines), {"client": client})
    await ended


asyncio.run(main())
