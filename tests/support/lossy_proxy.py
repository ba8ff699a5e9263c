"""A UDP proxy on loopback that drops datagrams by a seeded coin, each way. One upstream socket per client address."""

import random
import selectors
import socket
import threading


class LossyProxy:
    """Runs in a thread from start() to stop(); `port` is where clients call, `target` the server's port."""

    def __init__(self, target, loss, seed):
        self.target, self.loss, self.random = ("127.0.0.1", target), loss, random.Random(seed)
        self.front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.front.bind(("127.0.0.1", 0))
        self.port = self.front.getsockname()[1]
        self.passed = self.dropped = 0
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self.thread.start()
        return self

    def stop(self):
        self.stopping.set()
        self.thread.join()

    def _lucky(self):
        if self.random.random() < self.loss:
            self.dropped += 1
            return False
        self.passed += 1
        return True

    def _run(self):
        upstream, client_of = {}, {}
        with selectors.DefaultSelector() as selector:
            selector.register(self.front, selectors.EVENT_READ)
            while not self.stopping.is_set():
                for key, _ in selector.select(0.2):
                    try:
                        data, sender = key.fileobj.recvfrom(65536)
                    except ConnectionError:
                        continue  # an ICMP answer to an earlier datagram: the server is not there yet
                    if key.fileobj is self.front:
                        if sender not in upstream:
                            upstream[sender] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                            upstream[sender].connect(self.target)
                            client_of[upstream[sender]] = sender
                            selector.register(upstream[sender], selectors.EVENT_READ)
                        if self._lucky():
                            try:
                                upstream[sender].send(data)
                            except ConnectionError:
                                pass
                    elif self._lucky():
                        self.front.sendto(data, client_of[key.fileobj])
        for each in upstream.values():
            each.close()
        self.front.close()
