#!/usr/bin/python3
"""TLS before a server that has none: tls_front.py --port N --to M --certificate PEM"""
import argparse
import asyncio
import ssl

arguments = argparse.ArgumentParser()
for name in 'port', 'to', 'certificate':
    arguments.add_argument('--' + name, required=True)
options = arguments.parse_args()


async def copy(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def serve(reader, writer):
    try:
        inner_reader, inner_writer = await asyncio.open_connection('127.0.0.1', int(options.to))
    except OSError:
        writer.close()
        return
    await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.certificate)
    server = await asyncio.start_server(serve, '127.0.0.1', int(options.port), ssl=context)
    await server.serve_forever()


asyncio.run(main())
