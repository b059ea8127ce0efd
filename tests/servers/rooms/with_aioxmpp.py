#!/usr/bin/env python3
"""A person in rooms by aioxmpp, its MUCClient and its DiscoClient.

usage: with_aioxmpp.py HOST PORT FULL-JID PASSWORD [CA-FILE]

With CA-FILE TLS is required; without it the stream stays plain. What the certificate says other clients check."""
import asyncio
import logging
import sys
import warnings

warnings.simplefilter("ignore")  # it is older than the libraries below it

from lines import obey, report, stamp

import aioxmpp
import aioxmpp.muc
from aioxmpp.muc.xso import History


class Client:
    def __init__(self, host, port, jid, password, needs_tls):
        security = aioxmpp.make_security_layer(password, no_verify=True)
        self.client = aioxmpp.PresenceManagedClient(
            aioxmpp.JID.fromstr(jid),
            security._replace(tls_required=needs_tls),
            override_peer=[(host, int(port), aioxmpp.connector.STARTTLSConnector())],
        )
        self.disco = self.client.summon(aioxmpp.DiscoClient)
        self.muc = self.client.summon(aioxmpp.MUCClient)
        self.rooms = {}
        self.client.on_stream_established.connect(lambda: report("online"))
        self.client.on_stream_destroyed.connect(lambda *_: report("offline"))
        self.client.on_stopped.connect(lambda: report("offline"))
        self.client.on_failure.connect(lambda error: report("failed", text=repr(error)))
        dispatcher = self.client.summon(aioxmpp.dispatcher.SimplePresenceDispatcher)
        dispatcher.register_callback(aioxmpp.PresenceType.ERROR, None, self.refused)
        self.client.presence = aioxmpp.PresenceState(True)

    # Browsing.

    async def do_items(self, to):
        answer = await self.disco.query_items(aioxmpp.JID.fromstr(to), require_fresh=True)
        report("items", room=to, items=sorted(str(it.jid) for it in answer.items))

    async def do_info(self, to):
        try:
            answer = await self.disco.query_info(aioxmpp.JID.fromstr(to), require_fresh=True)
        except aioxmpp.errors.XMPPError as error:
            return report("refused", room=to, condition=error.condition.value[1])
        kinds = {f"{it.category}/{it.type_}" for it in answer.identities}
        report("info", room=to, items=sorted(kinds | set(answer.features)))

    # Rooms.

    async def do_join(self, room, nick):
        jid = aioxmpp.JID.fromstr(room)
        conversation, joined = self.muc.join(jid, nick, history=History(maxstanzas=20))
        self.rooms[room] = Room(room, conversation, self.muc)
        try:
            await joined
        except aioxmpp.errors.XMPPError:
            pass  # it is reported as it comes

    def do_say(self, room, body):
        message = aioxmpp.Message(type_=aioxmpp.MessageType.GROUPCHAT)
        message.body[None] = body
        self.rooms[room].conversation.send_message(message)

    def do_topic(self, room, text):
        return self.rooms[room].conversation.set_topic({None: text})

    def do_status(self, room, show, status):
        conversation = self.rooms[room].conversation
        presence = aioxmpp.Presence(to=conversation.jid.replace(resource=conversation.me.nick))
        presence.show = aioxmpp.PresenceShow(show)
        presence.status[None] = status
        return self.client.send(presence)

    def do_nick(self, room, nick):
        return self.rooms[room].conversation.set_nick(nick)

    def do_leave(self, room):
        return self.rooms[room].conversation.leave()

    def do_who(self, room):
        people = []
        for it in self.rooms[room].conversation.members:
            show = it.presence_state.show.value or ""
            people.append([it.nick, it.role or "", it.affiliation or "", show])
        report("who", room=room, people=sorted(people))

    def refused(self, presence):
        room, nick = str(presence.from_.bare()), presence.from_.resource
        report("refused", room=room, nick=nick, condition=presence.error.condition.value[1])

    # The end.

    def do_log_out(self):
        self.client.stop()


class Room:
    """What a conversation of aioxmpp signals."""

    def __init__(self, room, conversation, muc):
        self.room = room
        self.conversation = conversation
        self.muc = muc
        self.past = []
        self.codes = None
        for signal in ("on_join", "on_leave", "on_nick_changed", "on_presence_changed", "on_message"):
            getattr(conversation, signal).connect(getattr(self, signal))
        conversation.on_muc_enter.connect(self.on_enter)
        conversation.on_topic_changed.connect(self.on_topic_changed)
        conversation.on_exit.connect(self.on_exit)

    def tell(self, event, nick, **facts):
        report(event, room=self.room, nick=nick, **facts)

    def on_enter(self, _presence, occupant, *, muc_status_codes=frozenset(), **_):
        codes = {getattr(it, "value", it) for it in muc_status_codes}
        self.tell("came", occupant.nick)
        self.codes = sorted(codes)
        self.past = []

    def on_topic_changed(self, _member, topic, *, muc_nick=None, **_):
        self.tell("topic", muc_nick or "", text=topic.any() if topic else "")
        # The topic comes last of all that a join brings.
        if self.codes is not None:
            codes, self.codes = self.codes, None
            asyncio.ensure_future(self.joined(codes))

    async def joined(self, codes):
        if 201 in codes:
            jid = self.conversation.jid
            form = aioxmpp.muc.ConfigurationForm.from_xso(await self.muc.get_room_config(jid))
            await self.muc.set_room_config(jid, form.render_reply())
        self.tell("joined", self.conversation.me.nick, codes=codes, past=self.past)

    def on_join(self, member, **_):
        self.tell("came", member.nick)

    def on_leave(self, member, *, muc_status_codes=frozenset(), **_):
        codes = [getattr(it, "value", it) for it in muc_status_codes]
        self.tell("went", member.nick, codes=sorted(codes))

    def on_exit(self, *, muc_status_codes=frozenset(), **_):
        codes = [getattr(it, "value", it) for it in muc_status_codes]
        self.tell("went", self.conversation.me.nick, codes=sorted(codes))

    def on_nick_changed(self, _member, old_nick, new_nick, **_):
        self.tell("renamed", old_nick, to=new_nick)

    def on_presence_changed(self, member, _resource, presence, **_):
        status = presence.status.any() if presence.status else ""
        self.tell("changed", member.nick, show=presence.show.value or "", text=status)

    def on_message(self, message, member, *_, **__):
        delay = message.xep0203_delay
        if delay:
            self.past.append([member.nick, message.body.any(), stamp(delay[0].stamp)])
        else:
            self.tell("said", member.nick, text=message.body.any())


async def main():
    host, port, jid, password, *ca_file = sys.argv[1:]
    await obey(Client(host, port, jid, password, bool(ca_file)))


logging.basicConfig(level=logging.ERROR)
asyncio.run(main())
