// SPDX-License-Identifier: BSD-2-Clause
/*
 * A guest that has nothing to do has to give the core away. seL4 traps WFI, and
 * libvmm's answer is to let the guest try again, which burns the guest's slice:
 *
 *      guest: WFI  --> VMM: is something injected that the guest did not end?
 *                        yes: the WFI is over
 *                        no:  stop the vCPU; its timer stands still while it
 *                             is off the core, so ask the timer PD to call
 *                             when that would have fired
 *      an interrupt, a doorbell, the timer PD --> the vCPU runs on, at its WFI
 *
 * Everything happens in the VMM's one thread, so nothing falls between the
 * question and the stop.
 */
#include <libvmm/libvmm.h>
#include <libvmm/arch/aarch64/hsr.h>
#include <libvmm/arch/aarch64/vgic/vgic.h>
#include <libvmm/arch/aarch64/vgic/virq.h>
#include <sddf/util/cache.h>

#include "board.h"
#include "guest.h"
#include "images.h"

#define VCPU GUEST_BOOT_VCPU_ID
#define INTID_VTIMER 27
#define HSR_WFE 1u		/* of a WFx exception: WFE, not WFI */
#define TIMER_ENABLE 1u
#define TIMER_MASK 2u
#define TRAPS_MAX 4
#define DRAIN_ROOM 0x1000

/* A guest that only crashes must not keep the machine busy for ever. */
#ifndef UR_STARTS_MAX
#define UR_STARTS_MAX 16
#endif
#define LIVED_MS 60000		/* who lived so long begins to count again */

/*
 * Of the guest's calls only these end it (Arm DEN0022, function numbers). libvmm
 * looks at the service and the number alone, so whatever else the word says (a 32
 * or 64 bit call, a fast one or not) has to be the same call here.
 */
enum psci {
	SERVICE_AT = 24,
	SERVICE_MASK = 0x3f,
	SERVICE_STANDARD = 4,
	NUMBER_MASK = 0xffff,
	PSCI_OFF = 8,
	PSCI_RESET = 9,
	PSCI_RESET2 = 0x12,
};

enum { ZERO_REGISTER = 31 };

struct trap {
	ur_guest_trap_fn call;
	void *data;
};

static struct trap traps[TRAPS_MAX];
static u32 trap_count;

/* libvmm's virtual GIC; its list registers outlive the guest. */
extern vgic_t vgic;

/* drain.S: code, and the words to fill in */
extern const char ur_drain[], ur_drain_entry[], ur_drain_gicc[], ur_drain_left[];
extern const char ur_drain_end[];

/* ---- time ---------------------------------------------------------------- */

u64 ur_guest_now(void)
{
	u64 ticks;

	__asm__ volatile("isb; mrs %0, cntpct_el0" : "=r"(ticks) :: "memory");
	return ticks;
}

u64 ur_guest_ticks_per_ms(void)
{
	u64 hz;

	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(hz));
	return hz / 1000;
}

static void call_me(struct ur_guest *g, u64 ticks)
{
	microkit_mr_set(0, ticks);
	microkit_ppcall(g->timer, microkit_msginfo_new(0, 1));
}

/* ---- words --------------------------------------------------------------- */

static void say(const char *what)
{
	microkit_dbg_puts(microkit_name);
	microkit_dbg_puts("|usbroute: ");
	microkit_dbg_puts(what);
}

void ur_guest_say(const char *what, u64 value)
{
	char digits[] = " 0x0000000000000000\n";
	int i;

	for (i = 18; i > 2; i--, value >>= 4)
		digits[i] = "0123456789abcdef"[value & 15];
	say(what);
	microkit_dbg_puts(digits);
}

/* ---- sleep --------------------------------------------------------------- */

static void sleep(struct ur_guest *g, u64 until)
{
	microkit_vcpu_stop(VCPU);
	g->asleep = true;
	g->counts[UR_GUEST_AWAKE_US] += (u32)((ur_guest_now() - g->woke_at) * 1000 /
					      ur_guest_ticks_per_ms());
	if (until)
		call_me(g, until);
}

static void wake(struct ur_guest *g)
{
	seL4_Error err;

	if (!g->asleep)
		return;
	g->asleep = false;
	g->held_until = 0;
	g->woke_at = ur_guest_now();
	err = seL4_TCB_Resume(BASE_VM_TCB_CAP + VCPU);
	if (err != seL4_NoError)
		ur_guest_say("cannot resume the guest, error", err);
}

/* When the guest's own timer fires: 0 never. */
static u64 timer_deadline(void)
{
	u64 control = microkit_vcpu_arm_read_reg(VCPU, seL4_VCPUReg_CNTV_CTL);

	if ((control & (TIMER_ENABLE | TIMER_MASK)) != TIMER_ENABLE)
		return 0;
	return microkit_vcpu_arm_read_reg(VCPU, seL4_VCPUReg_CNTV_CVAL);
}

/* How many list registers hold an interrupt that the guest has not ended. */
static int listed(int intid)
{
	const struct virq_handle *shadow = vgic.vgic_vcpu[VCPU].lr_shadow;
	int i, n = 0;

	for (i = 0; i < NUM_LIST_REGS; i++)
		n += shadow[i].virq == intid;
	return n;
}

/* Its WFI is over. */
static bool go_on(void)
{
	seL4_UserContext regs;

	if (seL4_TCB_ReadRegisters(BASE_VM_TCB_CAP + VCPU, false, 0,
				   SEL4_USER_CONTEXT_SIZE, &regs) != seL4_NoError)
		return true;
	return fault_advance_vcpu(VCPU, &regs, SEL4_USER_CONTEXT_SIZE);
}

/* True: answer the guest, there is or will at once be something for it. */
static bool wait_for_interrupt(struct ur_guest *g)
{
	u64 deadline = timer_deadline();

	if (listed(VIRQ_INVALID) < NUM_LIST_REGS)
		return go_on();
	if (deadline && deadline <= ur_guest_now())
		return true;
	sleep(g, deadline);
	return false;
}

void ur_guest_hold(struct ur_guest *g, u64 ticks)
{
	g->held_until = ticks;
}

/* ---- interrupts and memory ----------------------------------------------- */

static void ack_nothing(irq_routing_info_t route, void *data)
{
	(void)route;
	(void)data;
}

static void ack_timer(irq_routing_info_t route, void *data)
{
	(void)route;
	(void)data;
	microkit_vcpu_arm_ack_vppi(VCPU, INTID_VTIMER);
}

static bool add_irqs(struct ur_guest *g)
{
	u32 i;

	for (i = 0; i < g->irq_count; i++)
		if (!virq_register_passthrough(
			    ARM_GIC_IRQ_ROUTE(VCPU, g->irqs[i].intid),
			    g->irqs[i].channel))
			return false;
	return virq_register(ARM_GIC_IRQ_ROUTE(VCPU, g->link_intid), ack_nothing,
			     NULL);
}

/*
 * A virtual GIC as after reset, for the next life. What the last one left in
 * the vCPU's list registers is still there, so it stays accounted for until
 * drain.S ends it.
 */
static bool reset_irqs(struct ur_guest *g)
{
	struct virq_handle left[NUM_LIST_REGS];
	struct virq_handle *shadow = vgic.vgic_vcpu[VCPU].lr_shadow;
	bool good;
	int i;

	for (i = 0; i < NUM_LIST_REGS; i++)
		left[i] = shadow[i];
	vgic_init();
	for (i = 0; i < NUM_LIST_REGS; i++)
		shadow[i] = left[i];
	good = virq_register(ARM_GIC_IRQ_ROUTE(VCPU, INTID_VTIMER), ack_timer, NULL);
	for (i = 0; i < NUM_SGI_VIRQS; i++)
		good = virq_register(ARM_GIC_IRQ_ROUTE(VCPU, i), ack_nothing, NULL) && good;
	ack_timer(ARM_GIC_IRQ_ROUTE(VCPU, INTID_VTIMER), NULL);
	return add_irqs(g) && good;
}

/*
 * One interrupt in two list registers is unpredictable, and the guest may be
 * past its look when the second doorbell comes: so that waits for the end of
 * the first.
 */
void ur_guest_inject(struct ur_guest *g)
{
	g->rung_again = listed((int)g->link_intid) != 0;
	if (!g->rung_again && virq_inject(ARM_GIC_IRQ_ROUTE(VCPU, g->link_intid)))
		wake(g);
}

bool ur_guest_notified(struct ur_guest *g, u32 channel)
{
	u32 i;

	if (channel == g->timer) {
		wake(g);
		return true;
	}
	for (i = 0; i < g->irq_count; i++) {
		if (g->irqs[i].channel != channel)
			continue;
		if (virq_handle_passthrough(channel))
			wake(g);
		return true;
	}
	return false;
}

/* The guest's instruction is over after this; a load finds zero. */
static bool trapped(size_t vcpu, size_t offset, size_t fsr,
		    seL4_UserContext *regs, void *data)
{
	const struct trap *t = data;
	struct ur_guest_access access = {
		.offset = offset,
		.write = fault_is_write(fsr),
	};

	(void)vcpu;
	t->call(&access, t->data);
	/* Register 31 is the zero register, for which libvmm has a place as well. */
	if (!access.write && HSR_IS_SYNDROME_VALID(fsr) &&
	    HSR_SYNDROME_RT(fsr) != ZERO_REGISTER)
		*decode_rt(HSR_SYNDROME_RT(fsr), regs) = access.value;
	return true;
}

static void load_count(struct ur_guest_access *access, void *data)
{
	const struct ur_guest *g = data;

	if (access->offset / 4 < UR_GUEST_COUNTS)
		access->value = g->counts[access->offset / 4];
}

bool ur_guest_show_counts(struct ur_guest *g, u64 gpa)
{
	return ur_guest_trap(gpa, 0x1000, load_count, g);
}

bool ur_guest_trap(u64 gpa, u64 bytes, ur_guest_trap_fn call, void *data)
{
	struct trap *t = &traps[trap_count];

	if (trap_count == TRAPS_MAX)
		return false;
	*t = (struct trap){ .call = call, .data = data };
	trap_count++;
	return fault_register_vm_exception_handler(gpa, bytes, trapped, t);
}

/* ---- life ---------------------------------------------------------------- */

bool ur_guest_init(struct ur_guest *g)
{
	arch_guest_init_t args = {
		.num_vcpus = 1,
		.num_guest_ram_regions = 1,
		.guest_ram_regions = { {
			.gpa_start = ur_images.ram_gpa,
			.size = ur_images.ram_bytes,
			.vmm_vaddr = g->ram,
		} },
	};

	return guest_init(args) && add_irqs(g);
}

/* Copies drain.S behind the device tree, told what was left and where to go on. */
static u64 put_drain(struct ur_guest *g, u64 entry)
{
	const struct virq_handle *shadow = vgic.vgic_vcpu[VCPU].lr_shadow;
	u64 bytes = (u64)(ur_drain_end - ur_drain);
	u64 gpa = ur_images.dtb_gpa + ur_images.dtb_room - DRAIN_ROOM;
	char *at = (char *)g->ram + (gpa - ur_images.ram_gpa);
	u32 *left = (u32 *)(at + (ur_drain_left - ur_drain));
	int i;

	ur_copy(at, ur_drain, bytes);
	*(u64 *)(at + (ur_drain_entry - ur_drain)) = entry;
	*(u64 *)(at + (ur_drain_gicc - ur_drain)) = UR_GICC_GPA;
	for (i = 0; i < NUM_LIST_REGS; i++)
		if (shadow[i].virq != VIRQ_INVALID)
			left[i] = (u32)shadow[i].virq;
	cache_clean_and_invalidate((u64)at, (u64)at + bytes);
	return gpa;
}

bool ur_guest_start(struct ur_guest *g)
{
	const struct ur_images *m = &ur_images;
	u64 entry = linux_setup_images(m->ram_gpa, m->kernel, m->kernel_bytes, m->dtb,
				       m->dtb_gpa, m->dtb_bytes, m->initrd,
				       m->initrd_gpa, m->initrd_bytes);

	g->starts++;
	g->started = ur_guest_now();
	g->asleep = false;
	g->woke_at = ur_guest_now();
	g->rung_again = false;
	g->held_until = 0;
	if (!entry ||
	    !guest_start(put_drain(g, entry), m->dtb_gpa, m->initrd_gpa)) {
		ur_guest_say("the guest cannot be started, try", g->starts);
		return false;
	}
	return true;
}

static void wipe_ram(struct ur_guest *g)
{
	u64 at = (u64)g->ram;

	ur_zero(g->ram, ur_images.ram_bytes);
	/* The new guest starts with its caches off. */
	cache_clean_and_invalidate(at, at + ur_images.ram_bytes);
}

static void end(struct ur_guest *g, bool again)
{
	if (ur_guest_now() - g->started > LIVED_MS * ur_guest_ticks_per_ms())
		g->starts = 0;
	again = again && g->starts < UR_STARTS_MAX;
	microkit_vcpu_stop(VCPU);
	g->stopped();
	if (!again) {
		ur_guest_say("the guest is off, starts in a row", g->starts);
		return;
	}
	ur_guest_say("the guest ended and is started again, starts in a row", g->starts);
	vcpu_reset(VCPU);
	wipe_ram(g);
	if (reset_irqs(g))
		ur_guest_start(g);
}

/* ---- faults -------------------------------------------------------------- */

/* True: the guest asked to be ended, and was. */
static bool power_call(struct ur_guest *g)
{
	seL4_UserContext regs;
	u32 call;

	if (seL4_TCB_ReadRegisters(BASE_VM_TCB_CAP + VCPU, false, 0,
				   SEL4_USER_CONTEXT_SIZE, &regs) != seL4_NoError)
		return false;
	call = regs.x0 & NUMBER_MASK;
	if ((regs.x0 >> SERVICE_AT & SERVICE_MASK) != SERVICE_STANDARD ||
	    (call != PSCI_OFF && call != PSCI_RESET && call != PSCI_RESET2))
		return false;
	end(g, call != PSCI_OFF);
	return true;
}

/*
 * The guest's timer fired; the kernel has masked it. Linux starts it a moment
 * before it enables the interrupt: who unmasks it in between gets it again at
 * once, and again, and the guest never reaches the line that enables it. So it
 * stays masked until the guest enables it or ends it; libvmm's ack does both.
 */
static bool timer_fired(void)
{
	virq_inject(ARM_GIC_IRQ_ROUTE(VCPU, microkit_mr_get(seL4_VPPIEvent_IRQ)));
	return true;
}

/*
 * An access to the GIC by an instruction of which the processor does not say what it
 * is (of two registers, or with write-back): libvmm takes it for one of register -1.
 */
static bool is_riddle(microkit_msginfo info)
{
	u64 at = microkit_mr_get(seL4_VMFault_Addr);

	return microkit_msginfo_get_label(info) == seL4_Fault_VMFault &&
	       at >= GIC_DIST_PADDR && at < GIC_DIST_PADDR + GIC_DIST_SIZE &&
	       !HSR_IS_SYNDROME_VALID(microkit_mr_get(seL4_VMFault_FSR));
}

/* libvmm's part; then, has the guest to pause? True: answer it. */
static bool other_fault(struct ur_guest *g, microkit_msginfo info)
{
	if (is_riddle(info) || !fault_handle(VCPU, info)) {
		end(g, true);
		return false;
	}
	if (g->rung_again)
		ur_guest_inject(g);
	if (!g->held_until)
		return true;
	sleep(g, g->held_until);
	return false;
}

static void count(struct ur_guest *g, u64 label)
{
	switch (label) {
	case seL4_Fault_VPPIEvent:
		g->counts[UR_GUEST_TIMER]++;
		break;
	case seL4_Fault_VGICMaintenance:
		g->counts[UR_GUEST_ACKS]++;
		break;
	case seL4_Fault_VMFault:
		g->counts[UR_GUEST_ACCESSES]++;
		break;
	case seL4_Fault_VCPUFault:
		if (HSR_EXCEPTION_CLASS(microkit_mr_get(seL4_VCPUFault_HSR)) ==
		    HSR_WFx_EXCEPTION) {
			g->counts[UR_GUEST_WAITS]++;
			break;
		}
		/* fall through */
	default:
		g->counts[UR_GUEST_OTHERS]++;
	}
}

bool ur_guest_fault(struct ur_guest *g, microkit_msginfo info)
{
	u64 hsr;

	count(g, microkit_msginfo_get_label(info));
	if (microkit_msginfo_get_label(info) == seL4_Fault_VPPIEvent)
		return timer_fired();
	if (microkit_msginfo_get_label(info) != seL4_Fault_VCPUFault)
		return other_fault(g, info);
	hsr = microkit_mr_get(seL4_VCPUFault_HSR);
	switch (HSR_EXCEPTION_CLASS(hsr)) {
	case HSR_WFx_EXCEPTION:
		return (hsr & HSR_WFE) || wait_for_interrupt(g);
	case HSR_SMC_64_EXCEPTION:
		if (power_call(g))
			return false;
		/* reading the registers took the message's place */
		microkit_mr_set(seL4_VCPUFault_HSR, hsr);
	}
	return other_fault(g, info);
}
