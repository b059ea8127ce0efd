"""What the clients of the stories in rooms have in common: JSON lines in on stdin are commands, JSON lines
out on stdout are what the client's own library makes of a room. The end of stdin ends them."""
import asyncio
import json
import signal
import sys

sys.stderr = sys.stdout  # one stream, so that a warning stands where it happened


def report(event, **facts):
    print(json.dumps({"event": event, **facts}), flush=True)


async def do(client, command):
    try:
        done = getattr(client, "do_" + command.pop("cmd"))(**command)
        if done is not None:
            await done
    except Exception as error:  # pylint: disable=broad-except
        report("command_failed", text=f"{command}: {error!r}")


async def obey(client):
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the test ends us by closing stdin
    lines = asyncio.StreamReader(limit=2**20)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
    )
    doing = set()  # asyncio itself does not hold on to a task
    while line := await lines.readline():
        task = asyncio.ensure_future(do(client, json.loads(line)))
        doing.add(task)
        task.add_done_callback(doing.discard)


def stamp(time):
    return "" if time is None else time.strftime("%Y-%m-%dT%H:%M:%SZ")
