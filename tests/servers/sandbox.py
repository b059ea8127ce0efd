#!/usr/bin/env python3
"""Two unmodified clients (slixmpp) on a sandbox at 127.0.0.1: each logs in with the mechanism named, and
they do with slixmpp's own pubsub plugin what people do with pubsub. Says "done" at the end; "refused" if
the password is a wrong one.

usage: sandbox.py PORT MECHANISM [PASSWORD]
"""
import asyncio
import os
import sys

import slixmpp
from slixmpp.exceptions import IqError

PATIENCE = 20
NODE = "presence"
JULIET = "juliet@capulet.lit"


class Client(slixmpp.ClientXMPP):
    def __init__(self, jid, mechanism):
        login = {"unencrypted_plain": True, "unencrypted_scram": True}
        password = sys.argv[3] if len(sys.argv) > 3 else "secret"
        super().__init__(jid, password, sasl_mech=mechanism, plugin_config={"feature_mechanisms": login})
        self.enable_direct_tls = self.enable_starttls = False
        self.enable_plaintext = True
        for plugin in ("xep_0004", "xep_0030", "xep_0060", "xep_0199"):
            self.register_plugin(plugin)
        self.pubsub = self.plugin["xep_0060"]
        self.events = {}

    def waiting_for(self, event):
        return asyncio.ensure_future(asyncio.wait_for(self.wait_until(event, PATIENCE), PATIENCE))

    async def login(self):
        started, refused = self.waiting_for("session_start"), self.waiting_for("failed_all_auth")
        self.connect("127.0.0.1", int(sys.argv[1]))
        done, _ = await asyncio.wait((started, refused), return_when=asyncio.FIRST_COMPLETED)
        refused.cancel()
        if refused in done:
            print("refused", flush=True)
            os._exit(0)  # no last words of tasks that will never be done
        return self


async def main():
    mechanism = sys.argv[2]
    juliet = await Client(f"{JULIET}/balcony", mechanism).login()
    romeo = await Client("romeo@montague.lit/orchard", mechanism).login()

    info = await juliet.plugin["xep_0030"].get_info(jid=JULIET)
    assert ("pubsub", "pep") in {(it[0], it[1]) for it in info["disco_info"]["identities"]}, info
    try:
        await juliet.get_roster()
    except IqError as error:
        assert error.condition == "service-unavailable", error
    else:
        raise AssertionError("there is a roster")

    form = juliet.plugin["xep_0004"].make_form(ftype="submit")
    form.add_field("FORM_TYPE", ftype="hidden", value="http://jabber.org/protocol/pubsub#node_config")
    form.add_field("pubsub#access_model", value="authorize")
    await juliet.pubsub.create_node(JULIET, NODE, config=form)

    asked = juliet.waiting_for("message_xform")
    answer = await romeo.pubsub.subscribe(JULIET, NODE)
    assert answer["pubsub"]["subscription"]["subscription"] == "pending", answer
    request = await asked
    values = request["form"].get_values()
    assert values["pubsub#subscriber_jid"] == romeo.boundjid.bare, request

    told = romeo.waiting_for("pubsub_subscription")
    reply = juliet.make_message(mto=request["from"])
    reply["type"] = "normal"
    reply["id"] = request["id"]
    form = juliet.plugin["xep_0004"].make_form(ftype="submit")
    for var in ("FORM_TYPE", "pubsub#node", "pubsub#subscriber_jid"):
        form.add_field(var, value=values[var])
    form.add_field("pubsub#allow", ftype="boolean", value=True)
    reply.append(form)
    reply.send()
    assert (await told)["pubsub_event"]["subscription"]["subscription"] == "subscribed"

    published = romeo.waiting_for("pubsub_publish")
    payload = slixmpp.xmlstream.ET.fromstring(
        "<presence xmlns='jabber:client' from='juliet@capulet.lit/balcony'><status>Moping</status></presence>"
    )
    await juliet.pubsub.publish(JULIET, NODE, id="balcony", payload=payload)
    item = (await published)["pubsub_event"]["items"]["item"]
    assert item["id"] == "balcony" and item["publisher"] == juliet.boundjid.full, item
    assert "Moping" in str(item), item
    items = await romeo.pubsub.get_items(JULIET, NODE)
    assert "Moping" in str(items), items

    for client in (juliet, romeo):
        await client.disconnect()
    print("done")


asyncio.run(asyncio.wait_for(main(), 3 * PATIENCE))
