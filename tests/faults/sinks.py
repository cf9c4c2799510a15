"""A mail server and a receiver of webhooks that take everything: `python -m tests.faults.sinks mail|webhooks`.

Prints its port, and then a line for each thing that it took: the recipient of an email, the id of a webhook.
"""

import asyncio
import sys
from asyncio import StreamReader, StreamWriter

ANSWERS = {b"DATA": b"354 Go ahead\r\n", b"QUIT": b"221 Bye\r\n"}


async def take_mail(reader: StreamReader, writer: StreamWriter) -> None:
    writer.write(b"220 sink\r\n")
    recipient = ""
    while line := await reader.readline():
        command = line[:4].upper()
        if command == b"RCPT":
            recipient = line.decode().partition("<")[2].partition(">")[0]
        writer.write(ANSWERS.get(command, b"250 OK\r\n"))
        if command == b"DATA":
            await reader.readuntil(b"\r\n.\r\n")
            say(recipient)
            writer.write(b"250 Taken\r\n")
        await writer.drain()


async def take_webhook(reader: StreamReader, writer: StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    headers = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:] if line)
    await reader.readexactly(int(headers["content-length"]))
    say(headers["webhook-id"])
    writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    await writer.drain()
    writer.close()


def say(line: object) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def serve(kind: str) -> None:
    server = await asyncio.start_server({"mail": take_mail, "webhooks": take_webhook}[kind], "127.0.0.1", 0)
    say(server.sockets[0].getsockname()[1])
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
