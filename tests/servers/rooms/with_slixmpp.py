#!/usr/bin/env python3
"""A person in rooms by slixmpp and its plugins for rooms and browsing.

usage: with_slixmpp.py HOST PORT FULL-JID PASSWORD [CA-FILE]

With CA-FILE TLS is required and the certificate checked; without it the stream stays plain."""
import asyncio
import logging
import sys

from lines import obey, report, stamp

import slixmpp
from slixmpp.exceptions import IqError, PresenceError


class Client(slixmpp.ClientXMPP):
    def __init__(self, jid, password, ca_file):
        login = {"unencrypted_plain": True, "unencrypted_scram": True}
        super().__init__(jid, password, plugin_config={"feature_mechanisms": login})
        self.enable_direct_tls = False
        self.enable_starttls = ca_file is not None
        self.enable_plaintext = ca_file is None
        self.ca_certs = ca_file
        for plugin in ("xep_0004", "xep_0030", "xep_0045", "xep_0199", "xep_0203"):
            self.register_plugin(plugin)
        self.muc = self.plugin["xep_0045"]
        self.inside = {}  # by room: those of whom the plugin has said that they are there
        self.add_event_handler("session_start", self.started)
        self.add_event_handler("disconnected", lambda _: report("offline"))

    async def started(self, _):
        await self.get_roster()
        self.send_presence()
        report("online")

    # Browsing.

    async def do_items(self, to):
        answer = await self.plugin["xep_0030"].get_items(jid=to)
        items = [str(jid) for jid, _, _ in answer["disco_items"]["items"]]
        report("items", room=to, items=sorted(items))

    async def do_info(self, to):
        try:
            answer = await self.plugin["xep_0030"].get_info(jid=to)
        except IqError as error:
            return report("refused", room=to, condition=error.condition)
        info = answer["disco_info"]
        kinds = [f"{category}/{kind}" for category, kind, _, _ in info["identities"]]
        report("info", room=to, items=sorted(set(kinds) | set(info["features"])))

    # Rooms.

    def watch(self, room):
        if room in self.inside:
            return
        self.inside[room] = set()
        for event, handler in (
            ("presence", self.changed),
            ("got_online", self.came),
            ("got_offline", self.went),
            ("message", self.said),
            ("groupchat_subject", self.topic),
            ("presence-error", self.refused),
        ):
            self.add_event_handler(f"muc::{room}::{event}", handler)

    async def do_join(self, room, nick):
        self.watch(room)
        try:
            own, _, _, history = await self.muc.join_muc_wait(room, nick, maxstanzas=20, timeout=40)
        except PresenceError:
            return  # it is reported as it comes
        codes = sorted(own["muc"]["status_codes"])
        past = [[it["mucnick"], it["body"], stamp(it["delay"]["stamp"])] for it in history]
        if 201 in codes:
            form = await self.muc.get_room_config(room)
            form.reply()
            await self.muc.set_room_config(room, form)
        report("joined", room=room, nick=own["from"].resource, codes=codes, past=past)

    def do_say(self, room, body):
        self.send_message(room, body, mtype="groupchat")

    def do_topic(self, room, text):
        self.muc.set_subject(room, text)

    def do_status(self, room, show, status):
        to = f"{room}/{self.muc.our_nicks[None][room]}"
        self.send_presence(pto=to, pshow=show, pstatus=status)

    async def do_nick(self, room, nick):
        try:
            await self.muc.set_self_nick(room, nick, timeout=5)
        except asyncio.TimeoutError:
            pass  # a refusal is reported as it comes, and the plugin waits for something else

    def do_leave(self, room):
        self.muc.leave_muc(room, self.muc.our_nicks[None][room])

    def do_who(self, room):
        people = []
        for nick in self.muc.get_roster(room):
            facts = [self.muc.get_jid_property(room, nick, it) for it in ("role", "affiliation", "show")]
            people.append([nick, *(it or "" for it in facts)])
        report("who", room=room, people=sorted(people))

    def came(self, presence):
        room, nick = presence["from"].bare, presence["from"].resource
        self.inside[room].add(nick)
        report("came", room=room, nick=nick)

    def changed(self, presence):
        room, nick = presence["from"].bare, presence["from"].resource
        if presence["type"] != "unavailable" and nick in self.inside[room]:
            report("changed", room=room, nick=nick, show=presence["show"], text=presence["status"])

    def went(self, presence):
        room, nick = presence["from"].bare, presence["from"].resource
        self.inside[room].discard(nick)
        if 303 in presence["muc"]["status_codes"]:
            report("renamed", room=room, nick=nick, to=presence["muc"]["item_nick"])
        else:
            report("went", room=room, nick=nick, codes=sorted(presence["muc"]["status_codes"]))
        if 110 in presence["muc"]["status_codes"] and 303 not in presence["muc"]["status_codes"]:
            self.inside[room].clear()

    def said(self, message):
        if message["body"] and message.get_plugin("delay", check=True) is None:
            report("said", room=message["from"].bare, nick=message["mucnick"], text=message["body"])

    def topic(self, message):
        report("topic", room=message["from"].bare, nick=message["mucnick"], text=message["subject"] or "")

    def refused(self, presence):
        room = presence["from"].bare
        report("refused", room=room, nick=presence["from"].resource, condition=presence["error"]["condition"])

    # The end.

    def do_log_out(self):
        self.disconnect()


async def main():
    host, port, jid, password, *ca_file = sys.argv[1:]
    client = Client(jid, password, ca_file[0] if ca_file else None)
    client.connect(host, int(port))
    await obey(client)


logging.basicConfig(level=logging.WARNING)
asyncio.run(main())
