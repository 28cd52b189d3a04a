# SPDX-License-Identifier: BSD-2-Clause
"""A machine of files for the command, and USB/IP messages built by hand.

Machine() is a directory as fake.h describes it. The messages here are written
from Documentation/usb/usbip_protocol.rst and share no code with the program.
"""
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time

TEST_BINARY = BINARY = None
LIMIT = 20  # seconds that no step may take


# ---- messages

def header(code, status=0, version=0x0111):
    return struct.pack(">HHI", version, code, status)


def name(text, size=32):
    return text.encode().ljust(size, b"\0")


REQ_DEVLIST = header(0x8005)


def req_import(busid):
    return header(0x8003) + name(busid)


def device(busid, *, path=None, bus=1, dev=2, speed=3, vendor=0x46f4, product=1, bcd=0x100,
           triple=(0, 0, 0), config=1, configs=1, interfaces=1):
    path = path or f"/sys/devices/pci0000:00/usb{bus}/{busid}"
    return (name(path, 256) + name(busid) + struct.pack(">III", bus, dev, speed) +
            struct.pack(">HHH", vendor, product, bcd) +
            bytes([*triple, config, configs, interfaces]))


def interface(triple=(8, 6, 80)):
    return bytes([*triple, 0])


def rep_devlist(*items):
    return header(5) + struct.pack(">I", len(items)) + b"".join(items)


def rep_import(item):
    return header(3) + item


def receive(sock, count):
    """Exactly `count` bytes, or what came before the end."""
    data = b""
    while len(data) < count:
        piece = sock.recv(count - len(data))
        if not piece:
            break
        data += piece
    return data


# ---- the machine

class Machine:
    def __init__(self):
        self.root = os.path.realpath(tempfile.mkdtemp(prefix="ur"))
        for path in ("dev", "sys/bus/usb/devices", "sys/bus/usb/drivers/usb",
                     "sys/bus/usb/drivers/usbip-host"):
            os.makedirs(self.path(path))
        self.write("journal", "")
        self.write("dev/usbroute0", "")
        self.write("sys/bus/usb/drivers/usbip-host/match_busid", "")
        self.processes = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.end()
        shutil.rmtree(self.root)

    def path(self, *parts):
        return os.path.join(self.root, *parts)

    def write(self, path, text):
        os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
        with open(self.path(path), "w", encoding="utf-8") as file:
            file.write(text)

    def read(self, path):
        with open(self.path(path), encoding="utf-8") as file:
            return file.read()

    def exists(self, path):
        return os.path.exists(self.path(path))

    def journal(self):
        return self.read("journal").splitlines()

    def _attributes(self, where, values):
        for key, value in values.items():
            self.write(f"{where}/{key}", f"{value}\n")

    def add(self, busid, *, where=None, bus=1, dev=2, speed="480", vendor="46f4", product="0001",
            bcd="0100", cls="00", serial=None, interfaces=((8, 6, 80, "usb-storage"),),
            driver="usb", link=True, others=()):
        """A USB device, as Linux shows one. others: classes of settings not selected."""
        where = where or f"sys/devices/pci0000:00/usb{bus}/{busid}"
        values = {"uevent": "DEVTYPE=usb_device", "busnum": bus, "devnum": dev, "speed": speed,
                  "idVendor": vendor, "idProduct": product, "bcdDevice": bcd,
                  "bDeviceClass": cls, "bDeviceSubClass": "00", "bDeviceProtocol": "00",
                  "bConfigurationValue": 1, "bNumConfigurations": 1,
                  "bNumInterfaces": f"{len(interfaces):2}", "product": f"Thing {busid}"}
        if serial is not None:
            values["serial"] = serial
        self._attributes(where, values)
        with open(self.path(where, "descriptors"), "wb") as out:
            out.write(bytes((18, 1, *16 * (0,), 9, 2, *7 * (0,))))
            for classes in (*(i[:3] for i in interfaces), *others):
                out.write(bytes((9, 4, 0, 0, 1, *classes, 0, 7, 5, 0x81, 3, 64, 0, 1)))
        if driver:
            os.symlink(f"../../drivers/{driver}", self.path(where, "driver"))
        for i, (c, s, p, bound) in enumerate(interfaces):
            self._attributes(f"{where}/{busid}:1.{i}", {
                "uevent": "DEVTYPE=usb_interface", "bInterfaceClass": f"{c:02x}",
                "bInterfaceSubClass": f"{s:02x}", "bInterfaceProtocol": f"{p:02x}"})
            if bound:
                os.symlink(f"../../drivers/{bound}",
                           self.path(where, f"{busid}:1.{i}", "driver"))
            if link:
                self.link(f"{where}/{busid}:1.{i}")
        if link:
            self.link(where)

    def link(self, where):
        os.symlink(f"../../../../{where}",
                   self.path("sys/bus/usb/devices", os.path.basename(where)))

    def add_attached(self):
        """What appears when vhci-hcd gets a device; its interface at once."""
        usb4 = "sys/devices/platform/vhci_hcd.0/usb4"
        os.makedirs(self.path(usb4))
        self.add("4-1", where="plug", bus=4, speed="5000", serial="UR1", link=False)
        self.link(f"{usb4}/4-1/4-1:1.0")

    def vhci(self, ports=2):
        """One controller: so many high-speed and so many SuperSpeed ports."""
        rows = [f"{'hs' if i < ports else 'ss'}  {i:04} 004 000 00000000 000000 0-0\n"
                for i in range(2 * ports)]
        self.write("sys/devices/platform/vhci_hcd.0/status",
                   "hub port sta spd dev      sockfd local_busid\n" + "".join(rows))

    def driver(self, busid):
        try:
            return os.path.basename(os.readlink(self.path("sys/bus/usb/devices", busid, "driver")))
        except FileNotFoundError:
            return None

    # ---- running the command

    def environment(self, **more):
        return dict(os.environ, USBROUTE_TEST_ROOT=self.root, LC_ALL="C",
                    ASAN_OPTIONS="exitcode=99:detect_leaks=1", UBSAN_OPTIONS="exitcode=99",
                    **more)

    def run(self, *arguments, **options):
        """(exit status, stdout, stderr) of the test build."""
        result = subprocess.run([TEST_BINARY, *arguments], env=self.environment(),
                                capture_output=True, text=True, timeout=LIMIT,
                                stdin=subprocess.DEVNULL, check=False, **options)
        return result.returncode, result.stdout, result.stderr

    def start(self, *arguments, **environment):
        process = Process([TEST_BINARY, *arguments], self.environment(**environment))
        self.processes.append(process)
        return process

    def serve(self, *arguments, **environment):
        process = self.start("serve", *arguments, **environment)
        process.wait_line("serving USB/IP")
        return process

    def connect(self):
        """A client of `serve` on this machine's link."""
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(LIMIT)
        sock.connect(self.path("socket"))
        return sock


class Process:
    """A command that runs on; its standard error line by line."""

    def __init__(self, arguments, environment):
        self.popen = subprocess.Popen(arguments, env=environment, stderr=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        self.lines, self.cv, self.ended = [], threading.Condition(), False
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.popen.stderr:
            with self.cv:
                self.lines.append(line.rstrip("\n"))
                self.cv.notify_all()
        with self.cv:
            self.ended = True
            self.cv.notify_all()

    def wait_line(self, part, limit=LIMIT):
        with self.cv:
            self.cv.wait_for(lambda: self.ended or any(part in x for x in self.lines), limit)
            for line in self.lines:
                if part in line:
                    return line
        raise AssertionError(f"no line with {part!r}; got {self.lines}")

    def finish(self, signal=None):
        """Exit status, after a signal if one is given."""
        if signal is not None:
            self.popen.send_signal(signal)
        status = self.popen.wait(LIMIT)
        self.thread.join(LIMIT)
        self.popen.stdout.close()
        self.popen.stderr.close()
        return status

    def end(self):
        if self.popen.poll() is None:
            self.popen.kill()
            self.finish()


class Peer:
    """A server in Python on the machine's link. `answers` has one entry per
    connection: the bytes to send for the request, and what to do then: "close",
    "hold" (until the test ends), or "reset"."""

    def __init__(self, machine, *answers):
        self.answers, self.requests, self.held = answers, [], []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(machine.path("socket"))
        self.listener.listen(8)
        self.is_over = False
        self.listener.settimeout(LIMIT)
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over = True
        with socket.socket(socket.AF_UNIX) as wake:
            wake.connect(self.listener.getsockname())
        self.thread.join(LIMIT)
        self.listener.close()
        for sock in self.held:
            sock.close()

    def _serve(self):
        for answer, then in self.answers:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            if self.is_over:
                sock.close()
                return
            sock.settimeout(LIMIT)
            request = receive(sock, 8)
            if request[2:4] == b"\x80\x03":
                request += receive(sock, 32)
            self.requests.append(request)
            try:
                sock.sendall(answer)
            except OSError:
                pass  # the client had enough of it
            if then == "hold":
                self.held.append(sock)
            else:
                sock.close()


def wait_until(condition, what, limit=LIMIT):
    """For what no event tells: a file that another process writes."""
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit} s: {what}")
        time.sleep(0.01)
