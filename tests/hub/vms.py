# SPDX-License-Identifier: BSD-2-Clause
"""
VMs of a guarded hub, without QEMU: each is a connection to its socket, the
memory and the eventfds that came over it, and user/ as its driver.

    ClientVm == link == usbroute-hub: guard == link == DeviceVm, with Devices

What they say is USB/IP 1.1.1, packed here from the protocol's text.
"""

import ctypes
import errno
import struct
import threading

from rig import LIMIT_S, Client

LIBRARY = {"path": None, "handle": None}
SERVICE = 3240

REQ_DEVLIST, REP_DEVLIST, REQ_IMPORT, REP_IMPORT = 0x8005, 0x0005, 0x8003, 0x0003
CMD_SUBMIT, CMD_UNLINK, RET_SUBMIT, RET_UNLINK = 1, 2, 3, 4
OUT, IN = 0, 1


def library():
    if LIBRARY["handle"] is None:
        lib = ctypes.CDLL(LIBRARY["path"])
        lib.vm_open.restype = ctypes.c_void_p
        for name in ("ur_stream_send", "ur_stream_recv", "ur_stream_recv_all"):
            getattr(lib, name).restype = ctypes.c_ssize_t
        LIBRARY["handle"] = lib
    return LIBRARY["handle"]


class Gone(Exception):
    """A stream or a link is over; code is the errno, 0 for an orderly end."""

    def __init__(self, code, what):
        super().__init__(f"{what}: {errno.errorcode.get(code, code)}")
        self.code = code


class Stream:
    def __init__(self, handle):
        self.handle = ctypes.c_void_p(handle)

    def send(self, data, limit_s=LIMIT_S):
        sent = library().ur_stream_send(self.handle, data, ctypes.c_size_t(len(data)),
                                        int(limit_s * 1000))
        if sent != len(data):
            raise Gone(max(0, -sent), f"sent {sent} of {len(data)} bytes")

    def recv(self, count, limit_s=LIMIT_S):
        """Exactly so many bytes."""
        room = ctypes.create_string_buffer(count)
        got = library().ur_stream_recv_all(self.handle, room, ctypes.c_size_t(count),
                                           int(limit_s * 1000))
        if got != count:
            raise Gone(max(0, -got), f"got {got} of {count} bytes")
        return room.raw

    def is_silent(self, limit_s=0.3):
        """No byte comes, and no end."""
        room = ctypes.create_string_buffer(1)
        return library().ur_stream_recv(self.handle, room, ctypes.c_size_t(1),
                                        int(limit_s * 1000)) == -errno.ETIMEDOUT

    def wait_end(self, limit_s=LIMIT_S):
        """The code of its end; whatever comes before is an error."""
        try:
            got = self.recv(1, limit_s)
        except Gone as gone:
            return gone.code
        raise AssertionError(f"expected the stream's end, got byte {got!r}")

    def close(self):
        library().ur_stream_close(self.handle, False)


class Vm(Client):
    """A connection to the hub with a driver on it. The VM dies with hang_up()."""

    def __init__(self, hub, name):
        super().__init__(hub.path(name))
        self.greet()
        why = ctypes.create_string_buffer(256)
        self.lock = library().vm_lock(self.memory_fd, 1 - self.id)
        self.link = ctypes.c_void_p(library().vm_open(
            self.memory_fd, self.id, self.bells[1 - self.id], self.bells[self.id],
            hub.channels, why))
        if not self.link.value:
            raise AssertionError(f"{name}: no link: {why.value.decode()}")
        self.is_open = True

    def wait_up(self):
        code = library().ur_file_link_wait_up(self.link, LIMIT_S * 1000)
        if code:
            raise Gone(-code, "the link")
        return self

    def call(self, service=SERVICE):
        handle = ctypes.c_void_p()
        code = library().ur_file_link_connect(self.link, service, LIMIT_S * 1000, ctypes.byref(handle))
        if code:
            raise Gone(-code, "a call")
        return Stream(handle.value)

    def restart(self):
        """Another epoch, as after a reboot."""
        library().ur_file_link_restart(self.link)

    def stop(self):
        if self.is_open:
            library().ur_file_link_stop(self.link)

    def die(self, hub):
        """As a QEMU that is killed: the hub declares it down, and it touches nothing after that."""
        count = hub.log().count("gone:")
        self.hang_up()
        hub.wait_log("gone:", count + 1)
        self.close()

    def close(self):
        if self.is_open:
            self.is_open = False
            library().ur_file_link_close(self.link)
        super().close()


class ClientVm(Vm):
    def list(self):
        """[(busid, "vvvv:pppp")]"""
        stream = self.call()
        stream.send(struct.pack(">HHI", 0x0111, REQ_DEVLIST, 0))
        version, code, status, count = struct.unpack(">HHII", stream.recv(12))
        if (version, code, status) != (0x0111, REP_DEVLIST, 0):
            raise AssertionError(f"expected the answer to a list, got {version:#x} {code:#x} {status}")
        devices = []
        for _ in range(count):
            text = stream.recv(312)
            busid = text[256:288].rstrip(b"\0").decode()
            vendor, product = struct.unpack(">HH", text[300:304])
            stream.recv(4 * text[311])
            devices.append((busid, f"{vendor:04x}:{product:04x}"))
        stream.close()
        return devices

    def ask(self, busid):
        """(stream, status, device) of an import; the device is None unless status is 0."""
        stream = self.call()
        stream.send(struct.pack(">HHI32s", 0x0111, REQ_IMPORT, 0, busid.encode()))
        _, code, status = struct.unpack(">HHI", stream.recv(8))
        if code != REP_IMPORT:
            raise AssertionError(f"expected the answer to an import, got {code:#x}")
        return stream, status, stream.recv(312) if status == 0 else None

    def attach(self, busid):
        stream, status, device = self.ask(busid)
        if status != 0:
            raise AssertionError(f"import of {busid}: expected status 0, got {status}")
        return Session(stream, device)


class Session:
    """A client's URBs, one at a time unless asked otherwise."""

    def __init__(self, stream, device):
        self.stream, self.device, self.seqnum = stream, device, 0
        busnum, devnum = struct.unpack(">II", device[288:296])
        self.devid = busnum << 16 | devnum

    @property
    def busid(self):
        return self.device[256:288].rstrip(b"\0").decode()

    def submit(self, direction, ep, length, data=b"", setup=bytes(8)):
        self.seqnum += 1
        self.stream.send(struct.pack(">9Ii8s", CMD_SUBMIT, self.seqnum, self.devid, direction, ep, 0,
                                     length, 0, 0xffffffff, 0, setup) + data)
        return self.seqnum

    def answer(self, has_data):
        """(seqnum, status, data)"""
        head = struct.unpack(">5IiI3I8s", self.stream.recv(48))
        if head[0] != RET_SUBMIT:
            raise AssertionError(f"expected RET_SUBMIT, got {head[0]}")
        data = self.stream.recv(head[6]) if has_data and head[6] else b""
        return head[1], head[5], data

    def control(self, request_type, request, value, index, length):
        setup = struct.pack("<BBHHH", request_type, request, value, index, length)
        direction = IN if request_type & 0x80 else OUT
        self.submit(direction, 0, length, setup=setup)
        return self.answer(direction == IN)[1:]

    def descriptor(self, kind, length, number=0):
        return self.control(0x80, 6, kind << 8 | number, 0, length)[1]

    def configure(self):
        """As a kernel does it: read what it is, then select the configuration."""
        self.descriptor(1, 18)
        total = struct.unpack_from("<H", self.descriptor(2, 9), 2)[0]
        self.descriptor(2, total)
        status, _ = self.control(0x00, 9, 1, 0, 0)
        if status != 0:
            raise AssertionError(f"SET_CONFIGURATION: expected status 0, got {status}")
        return self

    def bulk_in(self, ep, length):
        self.submit(IN, ep, length)
        return self.answer(True)[1:]

    def close(self):
        self.stream.close()


# A device: descriptors as USB 2.0 chapter 9 has them.

class Device:
    """interface: (class, subclass, protocol), with endpoints 81 and 02: interrupt of HID, else bulk."""

    def __init__(self, busid, vendor, product, interface=(8, 6, 0x50)):
        self.busid, self.interface = busid, interface
        self.vendor, self.product = vendor, product
        self.device = struct.pack("<BBHBBBBHHHBBBB", 18, 1, 0x200, 0, 0, 0, 64, vendor, product, 0x100,
                                  0, 0, 0, 1)
        tail = struct.pack("<9B", 9, 4, 0, 0, 2, *interface, 0) + \
            b"".join(struct.pack("<BBBBHB", 7, 5, address, *((3, 8, 4) if interface[0] == 3 else (2, 512, 0)))
                     for address in (0x81, 0x02))
        self.configuration = struct.pack("<BBHBBBBB", 9, 2, 9 + len(tail), 1, 1, 0, 0x80, 50) + tail
        self.held = 0       # routes that reached it
        self.heard = []     # (ep, direction) of each request
        self.answer = None  # instead of the right one: f(device, seqnum, direction, ep, length, setup)

    def record(self):
        busnum, devnum = 1, int(self.busid[-1]) + 1
        return struct.pack(">256s32sIIIHHH6B", b"/sys/devices/" + self.busid.encode(),
                           self.busid.encode(), busnum, devnum, 3, self.vendor, self.product, 0x100,
                           0, 0, 0, 1, 1, 1)

    def bytes_of(self, setup, length):
        request_type, request, value, _, _ = struct.unpack("<BBHHH", setup)
        if (request_type, request) == (0x80, 6):
            return {1: self.device, 2: self.configuration}.get(value >> 8, b"")[:length]
        return b""

    def reply(self, seqnum, direction, ep, length, setup):
        data = b""
        if direction == IN:
            data = self.bytes_of(setup, length) if ep == 0 else bytes([ep]) * length
        return ret(seqnum, len(data) if direction == IN else length, data)


def ret(seqnum, actual, data=b"", status=0):
    return struct.pack(">5IiI3I8s", RET_SUBMIT, seqnum, 0, 0, 0, status, actual, 0, 0xffffffff, 0,
                       bytes(8)) + data


class DeviceVm(Vm):
    """Answers lists and imports of its devices, each call in a thread of its own."""

    def __init__(self, hub, name, devices=()):
        super().__init__(hub, name)
        self.devices = {d.busid: d for d in devices}
        self.asked = 0      # bytes of whatever kind that reached a served stream
        self.trouble = []
        code = library().ur_file_link_listen(self.link, SERVICE, 16)
        if code:
            raise Gone(-code, "listen")
        self.threads = [threading.Thread(target=self._serve, daemon=True)]
        self.threads[0].start()

    def _serve(self):
        handle = ctypes.c_void_p()
        while True:
            code = library().ur_file_link_accept(self.link, SERVICE, -1, ctypes.byref(handle))
            if code == -errno.ESHUTDOWN:
                return
            if code == 0:
                thread = threading.Thread(target=self._talk, args=(Stream(handle.value),), daemon=True)
                self.threads.append(thread)
                thread.start()

    def _talk(self, stream):
        try:
            self.answer(stream)
        except Gone:
            pass
        except Exception as error:  # shown by the test that closes us
            self.trouble.append(error)
        if self.is_open:
            stream.close()

    def hear(self, stream, count, limit_s=-0.001):
        data = stream.recv(count, limit_s)
        self.asked += len(data)
        return data

    def answer(self, stream):
        _, code, _ = struct.unpack(">HHI", self.hear(stream, 8))
        if code == REQ_DEVLIST:
            stream.send(struct.pack(">HHII", 0x0111, REP_DEVLIST, 0, len(self.devices)) + b"".join(
                d.record() + bytes(d.interface) + b"\0" for d in self.devices.values()))
            return
        busid = self.hear(stream, 32).rstrip(b"\0").decode()
        device = self.devices.get(busid)
        if device is None:
            stream.send(struct.pack(">HHI", 0x0111, REP_IMPORT, 4))
            return
        stream.send(struct.pack(">HHI", 0x0111, REP_IMPORT, 0) + device.record())
        device.held += 1
        try:
            self.urbs(stream, device)
        finally:
            device.held -= 1

    def urbs(self, stream, device):
        while True:
            head = self.hear(stream, 48)
            _, seqnum, _, direction, ep, _, length = struct.unpack(">7I", head[:28])
            setup = head[40:48]
            if direction == OUT and length:
                self.hear(stream, length)
            device.heard.append((ep, direction))
            answer = device.answer or Device.reply
            stream.send(answer(device, seqnum, direction, ep, length, setup))

    def close(self):
        self.stop()
        for thread in self.threads:
            thread.join(LIMIT_S)
        super().close()
        if self.trouble:
            raise self.trouble[0]
