#!/usr/bin/env python3
"""Logs in at a sandbox on 127.0.0.1, turns on zlib (XEP-0138), and asks for a ping through it.

usage: compression.py PORT
"""
import base64
import socket
import sys
import zlib

HEADER = (
    "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
    "to='capulet.lit' version='1.0'>"
)
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=20)
pack, unpack = zlib.compressobj(), zlib.decompressobj()
compressed = False


def ask(text, end):
    data = text.encode()
    if compressed:
        data = pack.compress(data) + pack.flush(zlib.Z_SYNC_FLUSH)
    connection.sendall(data)
    seen = ""
    while not seen.endswith(end):
        data = connection.recv(4096)
        if not data:
            sys.exit("it ended: " + seen)
        seen += (unpack.decompress(data) if compressed else data).decode()
    return seen


ask(HEADER, "</stream:features>")
auth = base64.b64encode(b"\0juliet\0secret").decode()
ask(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{auth}</auth>", "</success>")
ask(HEADER, "</stream:features>")
ask("<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>", "/>")
compressed = True
print(ask(HEADER, "</stream:features>"))
bind = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>balcony</resource></bind>"
print(ask(f"<iq type='set' id='b'>{bind}</iq>", "</iq>"))
print(ask("<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>", "</iq>"))
