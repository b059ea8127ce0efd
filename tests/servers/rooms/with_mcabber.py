#!/usr/bin/env python3
"""A person in rooms by mcabber, on a terminal that nobody looks at: commands go into its FIFO, and what it makes of a
room is read from the history it keeps.

usage: with_mcabber.py HOST PORT FULL-JID PASSWORD

It does not browse, and keeps of statuses and of refusals nothing that could be read."""
import asyncio
import os
import pty
import re
import sys
import tempfile

from lines import obey, report

CONFIG = """
set jid = {jid}
set resource = {resource}
set password = {password}
set server = {host}
set port = {port}
set tls = 0
set logging = 1
set log_muc_conf = 1
set logging_dir = {folder}/said/
set fifo_name = {folder}/fifo
module load fifo
"""
# An entry of the history: kind, time, how many more lines it has, text.
ENTRY = re.compile(r"(\w\w) \d{8}T\d\d:\d\d:\d\dZ (\d{3}) (.*)")
# Meanings of an entry's text in the history of a room.
MEANINGS = [
    ("MR", re.compile(r"<(?P<nick>.*?)> (?P<text>.*)"), "said"),
    ("MI", re.compile(r'You have joined as "(?P<nick>.*)"'), "joined"),
    ("MI", re.compile(r"(?P<nick>.*) has joined"), "came"),
    ("MI", re.compile(r"(?P<nick>.*) has left"), "went"),
    ("MI", re.compile(r"(?P<nick>.*) is now known as (?P<to>.*)"), "renamed"),
    ("MI", re.compile(r"(?P<nick>.*) has set the topic to: (?P<text>.*)"), "topic"),
]


class Client:
    def __init__(self, host, port, full, password):
        self.folder = tempfile.mkdtemp()  # in a folder that the test removes
        self.bare, resource = full.split("/")
        os.mkdir(f"{self.folder}/said", 0o700)
        path = f"{self.folder}/mcabberrc"
        with open(path, "w", opener=lambda *of: os.open(*of, 0o600)) as config:
            config.write(
                CONFIG.format(
                    jid=self.bare, resource=resource, password=password, host=host, port=port, folder=self.folder
                )
            )
        self.read = {}  # so many bytes of each file of the history
        pid, self.terminal = pty.fork()
        if pid == 0:
            os.environ.update(HOME=self.folder, TERM="vt100", LINES="40", COLUMNS="200", LANG="C.UTF-8")
            os.execlp("mcabber", "mcabber", "-f", path)
        asyncio.get_running_loop().add_reader(self.terminal, self.drain)

    def drain(self):
        try:
            os.read(self.terminal, 65536)
        except OSError:  # mcabber has ended
            asyncio.get_running_loop().remove_reader(self.terminal)
            report("offline")

    async def watch(self):
        """Nothing tells that the history has grown, hence the polling."""
        while True:
            for room in os.listdir(f"{self.folder}/said"):
                with open(f"{self.folder}/said/{room}", "rb") as history:
                    history.seek(self.read.get(room, 0))
                    lines = history.readlines()
                while lines and lines[-1].endswith(b"\n"):
                    entry = ENTRY.match(lines[0].decode())
                    more = int(entry[2])
                    if len(lines) <= more:
                        break
                    self.read[room] = self.read.get(room, 0) + sum(map(len, lines[: more + 1]))
                    del lines[: more + 1]
                    self.tell(room, entry[1], entry[3], more)
            await asyncio.sleep(0.05)

    def tell(self, room, kind, text, more):
        if kind == "SO" and room == self.bare:
            return report("online")
        for wanted, meaning, event in MEANINGS:
            found = meaning.fullmatch(text)
            # A topic stands there a second time, as if somebody had said it.
            if found and kind == wanted and not (event == "said" and more):
                return report(event, room=room, **found.groupdict())

    def command(self, text):
        with open(f"{self.folder}/fifo", "w") as fifo:
            fifo.write(text + "\n")

    def do_join(self, room, nick):
        self.command(f"/room join {room} {nick}")

    def do_say(self, room, body):
        self.command(f"/say_to {room} {body}")

    def do_nick(self, room, nick):
        self.command(f"/roster search {room}")
        self.command(f"/room nick {nick}")

    def do_log_out(self):
        self.command("/quit")


async def main():
    client = Client(*sys.argv[1:5])
    watching = asyncio.ensure_future(client.watch())
    try:
        await obey(client)
    finally:
        watching.cancel()
        os.close(client.terminal)  # which ends mcabber, too


asyncio.run(main())
