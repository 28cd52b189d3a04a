# SPDX-License-Identifier: BSD-2-Clause
# QEMU's virt machine, as Microkit's board of that name is configured: 2 GiB,
# cortex-a53, the hypervisor's exception level, GICv2. Read by mk/sel4.mk.

SEL4_direct_SYSTEM := sel4/direct.system
SEL4_guarded_SYSTEM := sel4/guarded.system

# Where the guard writes its decisions, and how many bytes; as in the system description.
SEL4_AUDIT := 0x58000000
SEL4_AUDIT_BYTES := 0x10000

# Where each guest's RAM is, for it, and its size; as in the system description.
SEL4_RAM_START := 0x40000000
SEL4_RAM_MIB := 256

# The client VM has the machine's one UART; the device VM's consoles are on its
# PCI bus, console first.
SEL4_client_TTY := ttyAMA0
SEL4_client_AGENT := ttyAMA0
SEL4_device_TTY := ttyS0
SEL4_device_AGENT := ttyS1

SEL4_QEMU := qemu-system-aarch64 -machine virt,virtualization=on,highmem=off,secure=off \
	-cpu cortex-a53 -m 2G -smp 1 -accel tcg -nodefaults -display none
SEL4_LOAD_ADDRESS := 0x70000000
