#!/usr/bin/env python3
"""Gajim itself, with somebody at its windows: it prints its roster and what is said to it, answers questions, and quits
on any other message.

usage: with_gajim.py JID PASSWORD HOST PORT TYPE

The last three are what the README says of the account's connection."""
import os
import sys
import tempfile
import threading

sys.stderr = sys.stdout  # one stream, so that a warning stands where it happened

jid, password, host, port, kind = sys.argv[1:]
config = tempfile.mkdtemp()
sys.argv = ["gajim", "--config-path", config]

from gajim import gajim

# The steps of Gajim's main(), without its check for root.
gajim._check_required_deps()
gajim._set_env_vars()
gajim._init_gui("GTK")
sys.excepthook = sys.__excepthook__  # not in a window

from gi.repository import GLib, Gtk

from gajim.common import app, ged
from nbxmpp.const import ConnectionProtocol, ConnectionType
from gajim.gtk.application import GajimApplication

ACCOUNT = "recipe"


def report(*words):
    print(*words, flush=True)


def set_up():
    """Adds the account as the assistant for new accounts does, once there is a window."""
    if app.window is None:
        return True
    app.settings.set("plugins_update_check", False)  # the check would go to the web
    app.settings.set("use_keyring", False)
    user, domain = jid.split("@")
    custom_host = (f"{host}:{port}", ConnectionProtocol.TCP, ConnectionType(kind.upper()))
    app.app.create_account(ACCOUNT, user, domain, password, None, custom_host)
    app.ged.register_event_handler("roster-received", ged.POSTGUI, show_roster)
    app.ged.register_event_handler("message-received", ged.POSTGUI, said)
    app.app.enable_account(ACCOUNT)
    GLib.timeout_add(50, allow)
    return False


def allow():
    """Clicks the button of the dialog that asks whether to connect without encryption, once it is there."""
    for window in Gtk.Window.list_toplevels():
        if isinstance(window, Gtk.MessageDialog) and window.props.text == "Insecure Connection":
            report(window.props.text)
            click(window, "_Connect Anyway")
            return False
    return True


def click(widget, label):
    if isinstance(widget, Gtk.Button) and widget.get_label() == label:
        widget.clicked()
    elif isinstance(widget, Gtk.Container):
        for child in widget.get_children():
            click(child, label)


def show_roster(_):
    report([item.name for _, item in app.get_client(ACCOUNT).get_module("Roster").iter()])


def said(event):
    report(event.msgtxt)
    if event.msgtxt.endswith("?"):
        # The chat exists: the message has opened it.
        app.window.start_chat_from_jid(ACCOUNT, str(event.jid), "What satisfaction?")
        app.window.activate_action("send-message", None)
    elif event.msgtxt:
        app.app.start_shutdown(message="")


def end():
    """Quits at the end of stdin, so that Gajim does not outlive the test."""
    sys.stdin.read()
    os._exit(1)


threading.Thread(target=end, daemon=True).start()
GLib.timeout_add(50, set_up)
GajimApplication().run(sys.argv)
