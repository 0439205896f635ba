"""A server of Python's socketserver, at work in a thread while a test needs it."""

import contextlib
import ssl
import threading


@contextlib.contextmanager
def serving(server, certificate=None):
    """`certificate`: it speaks TLS from the first byte (certificates.py)."""
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate, certificate.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
