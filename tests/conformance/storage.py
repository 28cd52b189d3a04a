# SPDX-License-Identifier: BSD-2-Clause
"""A disk under the tools that were made to find bad ones.

    device VM: qemu-xhci, usb-storage, an image === the way === client VM: usb-storage, sd
"""

import subprocess

import checks
import plug
from models import Since, expect
from results import FAIL, NOT_RUN, PASS, reason
from vm import VmError
from ways import wait_for

PART = "storage"
IDS = "46f4:0001"


def fio(way, block, settings):
    """Random reads and writes from 512 bytes to 128 KiB; each block's sum is in it and is read back."""
    way.user.check(f"/opt/bin/fio --name=verify --filename=/dev/{block} --rw=randrw --bsrange=512-128k "
                   f"--size={settings.fio_mib}m --direct=1 --ioengine=libaio --iodepth=4 --verify=crc32c "
                   "--verify_fatal=1 --output=/tmp/fio.out || { cat /tmp/fio.out; false; }", 1200)


def badblocks(way, block, settings):
    """Four patterns written and read back; prints the blocks that differ."""
    end = settings.wipe_mib * 256 - 1
    job = way.user.spawn(f"/opt/bin/badblocks -w -b 4096 -c 16 /dev/{block} {end} 0")
    status, output = job.wait(1200)
    expect((status, output.split()), (0, []), f"status and bad blocks ({job.errors.strip()[-200:]})")


def file_system(way, block, settings):
    """mkfs, copy, compare, fsck in the client; and fsck of the image by the host."""
    way.user.check(f"/opt/bin/mke2fs -q -F -t ext4 /dev/{block} 2>&1 && mkdir -p /mnt/usb && "
                   f"mount -t ext4 /dev/{block} /mnt/usb", 300)
    way.user.check("cp -r /sbin /bin/busybox /etc /lib/modules /mnt/usb/ && sync && umount /mnt/usb", 600)
    way.user.check("echo 3 >/proc/sys/vm/drop_caches && "
                   f"mount -t ext4 -o ro /dev/{block} /mnt/usb && cmp /bin/busybox /mnt/usb/busybox && "
                   "diff -r /lib/modules /mnt/usb/modules && umount /mnt/usb", 600)
    way.user.check(f"/opt/bin/e2fsck -f -n /dev/{block} 2>&1", 300)
    done = subprocess.run(["e2fsck", "-f", "-n", plug.path(way, "disk.img")], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    expect(done.returncode, 0, f"status of e2fsck on the image: {done.stdout.strip()[-300:]}")


TESTS = {"fio, verify=crc32c": (fio, "fio"), "badblocks -w": (badblocks, "badblocks"),
         "mkfs.ext4, copy, fsck": (file_system, "mke2fs")}
PULLED = "device_del while it is read"


def attach_disk(way, client):
    way.attach(IDS)
    return client.wait_console(r"\[(sd[a-z]+)\] Attached SCSI", 40).group(1)


def run_one(way, check, program, block, settings):
    if way.user.run(f"[ -x /opt/bin/{program} ]")[0]:
        return NOT_RUN, f"no {program} on this machine"
    try:
        check(way, block, settings)
    except (checks.CheckError, VmError) as error:
        return FAIL, reason(error)
    return PASS, ""


def pull_out(way):
    """The reader gets an error, the device is gone, no port is taken, and it works again."""
    client = Since(way.user)
    plug.plug(way, "usb-storage", "pulled", drive="disk")
    block = attach_disk(way, client)
    reader = way.user.spawn(f"echo reading; while dd if=/dev/{block} of=/dev/null bs=64k iflag=direct; do :; done 2>&1")
    reader.wait_line("records out|copied", 120)
    plug.unplug(way, "pulled", IDS)
    reader.wait(40)
    wait_for(way.user, f"[ ! -b /dev/{block} ]", f"{block} is still there")
    if way.name != "local":
        wait_for(way.user, "! grep -q ' 006 ' /sys/devices/platform/vhci_hcd.0/status*", "a port is taken")
    way.detach()
    client = Since(way.user)
    plug.plug(way, "usb-storage", "pulled", drive="disk")
    way.user.check(f"dd if=/dev/{attach_disk(way, client)} of=/dev/null bs=64k count=16 iflag=direct 2>&1", 60)
    way.detach()
    plug.unplug(way, "pulled", IDS)


def run(results, way, settings):
    way.user.check("modprobe usb-storage && modprobe sd_mod")
    client = Since(way.user)
    with plug.plugged(way, "usb-storage", IDS, drive="disk"):
        block = attach_disk(way, client)
        for name, (check, program) in TESTS.items():
            results.add(PART, way.name, name, *run_one(way, check, program, block, settings))
        way.detach()
    pull_out(way)
    results.add(PART, way.name, PULLED, PASS)
