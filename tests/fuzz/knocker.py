"""The knocker: opens the connections that were made up, sends what they send, and leaves as they leave."""

import asyncio
import contextlib
import socket
import struct
from typing import Final

from tests.fuzz.asker import HANGS_S, Slow
from tests.fuzz.thrown import Connection

# How long what came in answer is read, seconds: what is refused is refused at once.
_READ_S: Final = 0.05
_READ_BYTES: Final = 65_536
_AT_ONCE: Final = struct.pack("ii", 1, 0)  # SO_LINGER: what is closed is reset


class Knocker:
    """A client of bytes."""

    def __init__(self, host: str, port: int, metrics_port: int) -> None:
        self._host = host
        self._port = port
        self._metrics_port = metrics_port
        self._held: list[asyncio.StreamWriter] = []

    def leave(self) -> None:
        """Ends the connections that are held."""
        for writer in self._held:
            writer.close()
        self._held.clear()

    async def knock(self, connection: Connection) -> None:
        """Makes a connection.

        Raises:
            Slow: the server does not take it.
        """
        port = self._metrics_port if connection.to_metrics else self._port
        try:
            async with asyncio.timeout(HANGS_S):
                reader, writer = await asyncio.open_connection(self._host, port)
        except TimeoutError:
            raise Slow(f"port {port} took no connection within {HANGS_S:g} s") from None
        with contextlib.suppress(OSError):  # whoever sends garbage may be cut off
            await self._send(connection, reader, writer)
        if connection.ending == "held":
            self._held.append(writer)
            return
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async def _send(self, connection: Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reading = asyncio.ensure_future(_read(reader))
        try:
            for data, pause_s in connection.parts:
                writer.write(data)
                if reading.done():
                    return
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(1):  # who is not read sends no more
                        await writer.drain()
                if pause_s:
                    await asyncio.sleep(pause_s)
            if connection.ending == "half" and writer.can_write_eof():
                writer.write_eof()
            await asyncio.wait([reading], timeout=_READ_S)
            if connection.ending == "reset":
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


async def _read(reader: asyncio.StreamReader) -> None:
    while await reader.read(_READ_BYTES):
        pass
