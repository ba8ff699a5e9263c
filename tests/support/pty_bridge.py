"""A cable between a program and a device's pseudo-terminal: at a UART's pace, and with a plug that can be pulled."""

import os
import select
import threading
import time
import tty


class PtyBridge:
    """Offers `link`, a pseudo-terminal that passes on what `device` says and hears. Without a plug there is no link."""

    def __init__(self, device, link, baud=115_200):
        self.link, self.baud = link, baud
        self.device = os.open(device, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.device)
        # The thread itself lets go of the master: a lock that it takes again at once would not let another in for seconds.
        self.over, self.pulled, self.gone, self.master = (threading.Event(), threading.Event(), threading.Event(), None)
        self.plug()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def plug(self):
        master, line = os.openpty()
        tty.setraw(line)
        self.link.symlink_to(os.ttyname(line))
        os.close(line)  # a port that another process has open is refused
        self.master = master

    def unplug(self):
        self.link.unlink()
        self.gone.clear()
        self.pulled.set()
        self.gone.wait()

    def run(self):
        while not self.over.is_set():
            if self.pulled.is_set():
                self.pulled.clear()
                self.let_go()
                self.gone.set()
            master = self.master
            ends = {end: other for end, other in ((master, self.device), (self.device, master)) if end is not None}
            for end in select.select(ends, [], [], 0.01)[0]:
                try:
                    text = os.read(end, 512)
                    if ends[end] is not None:
                        os.write(ends[end], text)
                except OSError:  # nobody has the other end open
                    time.sleep(0.01)
                    continue
                time.sleep(len(text) * 10 / self.baud)

    def let_go(self):
        os.close(self.master)
        self.master = None

    def close(self):
        if self.over.is_set():
            return
        self.over.set()
        self.thread.join()
        if self.master is not None:
            self.link.unlink()
            self.let_go()
        os.close(self.device)
