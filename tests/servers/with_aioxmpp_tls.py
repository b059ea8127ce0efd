#!/usr/bin/env python3
"""aioxmpp as its documentation has it: TLS is required and its certificate checked (SSL_CERT_FILE says against what).

usage: with_aioxmpp_tls.py HOST PORT FULL-JID PASSWORD

Logs in, says `online` and the TLS it has, and logs out."""
import asyncio
import sys
import warnings

warnings.simplefilter("ignore")  # it is older than the libraries below it

import aioxmpp


async def main(host, port, jid, password):
    client = aioxmpp.PresenceManagedClient(
        aioxmpp.JID.fromstr(jid),
        aioxmpp.make_security_layer(password),
        override_peer=[(host, int(port), aioxmpp.connector.STARTTLSConnector())],
    )
    async with client.connected():
        print("online", flush=True)


asyncio.run(asyncio.wait_for(main(*sys.argv[1:]), 40))
