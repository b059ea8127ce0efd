#!/usr/bin/env python3
"""An unmodified client (slixmpp) on strings: JSON lines in on stdin are commands, JSON lines out on
stdout are what happened to it. The end of stdin ends it.

usage: puppet.py HOST PORT FULL-JID PASSWORD [CA-FILE]

Without CA-FILE the stream stays plain, as in a client pointed at a proxy on localhost; with it STARTTLS
is required and the certificate checked. With an empty PASSWORD it asks to be known by a certificate (EXTERNAL). It
logs in at once; nothing but that is sent unasked, except answers to IQs.
"""
import asyncio
import json
import logging
import signal
import sys

sys.stderr = sys.stdout  # one stream, so that a warning stands where it happened

try:
    import slixmpp
except ImportError:
    sys.exit("slixmpp is missing: pip install slixmpp (another Python: TEST_PYTHON)")
from slixmpp.xmlstream import ET, tostring

CLIENT = "{jabber:client}"
STREAM_ERROR = "{http://etherx.jabber.org/streams}error"


def report(event, **facts):
    print(json.dumps({"event": event, **facts}), flush=True)


def flat(element):
    """An element as text that depends on nothing but what it says: no prefixes, attributes sorted."""
    attributes = "".join(f" {name}='{value}'" for name, value in sorted(element.attrib.items()))
    inside = "".join(flat(child) + (child.tail or "") for child in element)
    return f"<{element.tag}{attributes}>{element.text or ''}{inside}</>"


def presence_facts(xml):
    facts = {name: xml.get(name, "") for name in ("from", "type", "id")}
    return {**facts, "parts": [flat(child) for child in xml]}


class Puppet(slixmpp.ClientXMPP):
    def __init__(self, jid, password, ca_file):
        login = {"unencrypted_plain": True, "unencrypted_scram": True}
        if not password:
            login["use_mech"] = "EXTERNAL"
        super().__init__(jid, password, plugin_config={"feature_mechanisms": login})
        self.auto_authorize = None  # a subscription is asked and answered by command only
        self.auto_subscribe = False
        self.enable_direct_tls = False
        self.enable_starttls = ca_file is not None
        self.enable_plaintext = ca_file is None
        self.ca_certs = ca_file
        for plugin in ("xep_0030", "xep_0045", "xep_0199"):  # disco, MUC, ping
            self.register_plugin(plugin)
        for name, event in (
            ("session_start", "session_started"),
            ("failed_all_auth", "auth_failed"),
            ("ssl_invalid_chain", "certificate_refused"),
            ("connection_failed", "connection_failed"),
            ("disconnected", "disconnected"),
        ):
            self.add_event_handler(name, self.reporter(event))

    def reporter(self, event):
        def handler(data):
            report(event, text="" if data is None or data == {} else str(data))
            if event == "connection_failed":
                self.cancel_connection_attempt()

        return handler

    def incoming_filter(self, xml):
        """Sees every top-level element as it came, before slixmpp makes anything of it."""
        if xml.tag.startswith(CLIENT):
            facts = {name: xml.get(name, "") for name in ("from", "to", "type", "id")}
            facts["children"] = {
                child.tag.rpartition("}")[2]: child.text or ""
                for child in xml
                if child.tag.startswith(CLIENT)
            }
            facts["presences"] = [presence_facts(it) for it in xml.iter(CLIENT + "presence")]
            report("stanza", kind=xml.tag[len(CLIENT) :], xml=self.text(xml), **facts)
        elif xml.tag == STREAM_ERROR:
            report("stream_error", xml=self.text(xml))
        return xml

    def text(self, xml):
        return tostring(xml, xmlns=self.default_ns, stream=self, top_level=True)

    # One method per command; the keys of the command are its arguments.

    def do_presence(self, to=None, show=None, status=None, priority=None, type=None, id=None, extra=None):
        stanza = self.make_presence(show, status, priority, to, type)
        if id is not None:
            stanza["id"] = id
        if extra is not None:
            stanza.append(ET.fromstring(extra))
        stanza.send()

    def do_message(self, to, body, type="chat", id=None):
        stanza = self.make_message(to, body, mtype=type)
        if id is not None:
            stanza["id"] = id
        stanza.send()

    def do_join(self, room, nick):
        self.plugin["xep_0045"].join_muc(room, nick)

    def do_leave(self, room, nick):
        self.plugin["xep_0045"].leave_muc(room, nick)

    def do_roster(self):
        self.get_roster()

    def do_raw(self, xml):
        self.send_raw(xml)

    def do_disconnect(self):
        self.disconnect()

    def do_abort(self):
        self.abort()


async def obey(puppet):
    commands = asyncio.StreamReader(limit=2**20)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(commands), sys.stdin
    )
    while line := await commands.readline():
        command = json.loads(line)
        try:
            getattr(puppet, "do_" + command.pop("cmd"))(**command)
        except Exception as error:  # pylint: disable=broad-except
            report("command_failed", text=f"{line.decode().strip()}: {error!r}")


async def main():
    host, port, jid, password, *ca_file = sys.argv[1:]
    puppet = Puppet(jid, password, ca_file[0] if ca_file else None)
    puppet.connect(host, int(port))
    await obey(puppet)


signal.signal(signal.SIGINT, signal.SIG_IGN)  # the test ends us by closing stdin
logging.basicConfig(level=logging.WARNING)
asyncio.run(main())
