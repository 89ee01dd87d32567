"""The leads of leash's contract as a team would serve them in Python: grpcio's asyncio, SQLAlchemy and asyncpg, on leash's own schema."""

import asyncio
import contextlib
import multiprocessing
import os
import signal
import socket

import grpc
from sqlalchemy.ext.asyncio import create_async_engine

from known import Known
from leads import Leads
from moego.business.customer.v1 import lead_service_pb2_grpc
from tables import Tables

WORKERS = int(os.environ["WORKERS"])


async def serve(address, ready):
    scheme, rest = os.environ["DATABASE_URL"].split("://", 1)
    # Reads need no transaction of their own, and so no round trips for one; writes begin one.
    engine = create_async_engine(
        f"postgresql+asyncpg://{rest}",
        pool_size=max(1, int(os.environ["POOL"]) // WORKERS),
        max_overflow=0,
        isolation_level="AUTOCOMMIT",
    )
    tables = await Tables.reflect(engine)
    known = await Known.read(engine, tables)
    refreshing = asyncio.create_task(known.refresh_for_ever())

    server = grpc.aio.server(options=[("grpc.so_reuseport", 1)])
    lead_service_pb2_grpc.add_LeadServiceServicer_to_server(Leads(engine, tables, known), server)
    server.add_insecure_port(address)
    await server.start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    ready.set()
    await stop.wait()
    refreshing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await refreshing
    await server.stop(grace=1)
    await engine.dispose()


def work(address, ready):
    asyncio.run(serve(address, ready))


@contextlib.contextmanager
def reserved(host, port):
    """A port that the workers share; bound here, so that it is nobody else's."""
    with socket.socket() as reservation:
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reservation.bind((host, port))
        yield reservation.getsockname()[1]


def main():
    host, port = os.environ["LISTEN"].rsplit(":", 1)
    with reserved(host, int(port)) as port:
        address = f"{host}:{port}"
        # A process for each processor.
        starts = multiprocessing.get_context("spawn")
        workers = []
        for _ in range(WORKERS):
            ready = starts.Event()
            workers.append((starts.Process(target=work, args=(address, ready)), ready))
        for process, _ in workers:
            process.start()
        for _, ready in workers:
            ready.wait()
        print(f"listening on {address}", flush=True)

        def stop(*_):
            for process, _ in workers:
                process.terminate()

        signal.signal(signal.SIGTERM, stop)
        for process, _ in workers:
            process.join()


if __name__ == "__main__":
    main()
