"""kubectl port-forward: opens a local port that leads to a pod. It is one that the test chose, and that the test's curl
takes for the one that the operator typed, since that may be in use on the test's machine."""

import socket
import sys
import threading


def copy(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def main():
    address, local, remote, place = sys.argv[1:]
    host, port = address.rsplit(":", 1)
    listener = socket.create_server(("127.0.0.1", int(place.rsplit(":", 1)[1])))
    print(f"Forwarding from 127.0.0.1:{local} -> {remote}", flush=True)
    while True:
        client, _ = listener.accept()
        print(f"Handling connection for {local}", flush=True)
        try:
            pod = socket.create_connection((host, int(port)))
        except OSError as error:
            print(f"error forwarding port {remote}: {error}", file=sys.stderr, flush=True)
            client.close()
            continue
        for ends in ((client, pod), (pod, client)):
            threading.Thread(target=copy, args=ends, daemon=True).start()


main()
