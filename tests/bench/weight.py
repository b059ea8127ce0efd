#!/usr/bin/env python3
"""What it costs a pubshim that a server sends large stanzas: processor time, memory, who is harmed.

usage: weight.py PUBSHIM      (a release build)
"""
import asyncio
import os
import re
import sys

import load

MIB = 1 << 20
LARGE = 16 * MIB - 1024


def message(content):
    return f"<message from='stranger@localhost/x' id='bomb'>{content}</message>".encode()


def bombs():
    count = LARGE // len(" a000000=''")
    yield "attributes", message("<x" + "".join(f" a{n:06x}=''" for n in range(count)) + "/>")
    yield "<a/>", message("<a/>" * (LARGE // 4))
    count = LARGE // len("<a></a>")
    yield "<a> nested", message("<a>" * count + "</a>" * count)
    count = LARGE // len(" xmlns:a000000='b'")
    yield "declarations", message("<x" + "".join(f" xmlns:a{n:06x}='b'" for n in range(count)) + "/>")
    yield "text", message("x" * LARGE)
    yield "17 MiB of text", message("x" * (17 * MIB))


def cpu(shim):
    with open(f"/proc/{shim.process.pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def report_bombs(shim):
    client, server = await shim.log_in()
    print(f"{'16 MiB of':20}{'CPU s':>8}{'peak RSS grows by':>20}{'came through':>16}")
    for name, bomb in bombs():
        before = cpu(shim)
        with open(f"/proc/{shim.process.pid}/clear_refs", "w", encoding="ascii") as refs:
            refs.write("5")
        rss = shim.memory()
        chat = b"<message from='romeo@localhost/x' id='chat'/>"
        client.text, client.length = "", 0
        server.transport.write(bomb + chat)
        await client.wait(lambda: "id='chat'" in client.text[-200:])
        came = client.length - len(chat)
        print(f"{name:20}{cpu(shim) - before:8.2f}{(shim.memory('VmHWM') - rss) / 1024:16.1f} MiB{came:16}")
        client.text = ""


async def report_many(shim, sessions=500):
    ends = await shim.log_in_many(sessions)
    rss = shim.memory()
    half = message("x" * MIB)
    for client, server in ends:
        client.text, client.length = "", 0
        server.transport.write(half[:-1])
    await asyncio.sleep(10)
    held = (shim.memory() - rss) / 1024
    whole = 0
    for client, server in ends:
        server.transport.write(half[-1:])
        await client.wait(lambda: client.text.endswith("</message>"))
        whole += client.length == len(half)
    print(f"{sessions} sessions with 1 MiB of an unfinished stanza each: RSS grew by {held:.1f} MiB; {whole} came whole")


async def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    load.PATIENCE = 120
    load.SESSIONS = 500
    load.raise_limits()
    for report in (report_bombs, report_many):
        async with load.Shim(sys.argv[1]) as shim:
            await report(shim)


if __name__ == "__main__":
    asyncio.run(main())
