// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * QEMU's ivshmem-doorbell: BAR 0 registers, BAR 1 MSI-X, BAR 2 the region.
 * Source of the numbers: QEMU, "Device Specification for Inter-VM shared memory
 * device".
 */
#include <linux/io.h>
#include <linux/module.h>
#include <linux/pci.h>

#include "node.h"

#define REG_IV_POSITION 8	/* our id, given by the server */
#define REG_DOORBELL 12		/* id << 16 | vector */
#define ID_NONE 0xffffffffu

struct ur_pci {
	struct ur_node *node;
	void __iomem *registers;
	void *region;
	u32 peer_doorbell;
};

static void pci_ring(struct ur_node *node)
{
	struct ur_pci *up = node->binding.private;

	writel(up->peer_doorbell, up->registers + REG_DOORBELL);
}

/* Everything here is undone by devres. */
static int pci_map(struct pci_dev *pdev, struct ur_pci *up)
{
	int err = pcim_enable_device(pdev);

	if (err)
		return err;
	err = pcim_iomap_regions(pdev, BIT(0), KBUILD_MODNAME);
	if (err)
		return err;
	up->registers = pcim_iomap_table(pdev)[0];
	up->region = devm_memremap(&pdev->dev, pci_resource_start(pdev, 2),
				   pci_resource_len(pdev, 2), MEMREMAP_WB);
	return PTR_ERR_OR_ZERO(up->region);
}

static int pci_vector(struct pci_dev *pdev)
{
	int err;

	pci_set_master(pdev);
	err = pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_MSIX);
	if (err < 0)
		return dev_err_probe(&pdev->dev, err,
				     "no MSI-X vector: ivshmem-plain? use ivshmem-doorbell\n");
	return 0;
}

static struct ur_binding pci_binding(struct pci_dev *pdev, struct ur_pci *up,
				     u32 id)
{
	u64 half = pci_resource_len(pdev, 2) / 2;
	struct ur_binding b = {
		.ring = pci_ring,
		.private = up,
		.outbox_bytes = half,
		.end = id & 1 ? UR_END_B : UR_END_A,
		.irq = pci_irq_vector(pdev, 0),
	};

	b.outbox_own = up->region + (b.end == UR_END_A ? 0 : half);
	b.outbox_peer = up->region + (b.end == UR_END_A ? half : 0);
	snprintf(b.name, sizeof(b.name), "ivshmem %s", pci_name(pdev));
	return b;
}

static int pci_probe(struct pci_dev *pdev, const struct pci_device_id *ids)
{
	struct ur_pci *up = devm_kzalloc(&pdev->dev, sizeof(*up), GFP_KERNEL);
	struct ur_binding binding;
	u32 id;
	int err;

	if (!up)
		return -ENOMEM;
	err = pci_map(pdev, up);
	if (err)
		return err;
	id = readl(up->registers + REG_IV_POSITION);
	if (id == ID_NONE)
		return dev_err_probe(&pdev->dev, -ENODEV,
				     "the ivshmem server gave this machine no id\n");
	up->peer_doorbell = (id ^ 1) << 16;
	err = pci_vector(pdev);
	if (err)
		return err;
	binding = pci_binding(pdev, up, id);
	up->node = ur_node_create(&pdev->dev, &binding);
	if (IS_ERR(up->node)) {
		pci_free_irq_vectors(pdev);
		return PTR_ERR(up->node);
	}
	pci_set_drvdata(pdev, up);
	return 0;
}

static void pci_remove(struct pci_dev *pdev)
{
	struct ur_pci *up = pci_get_drvdata(pdev);

	ur_node_remove(up->node);
	pci_free_irq_vectors(pdev);
}

static void pci_shutdown(struct pci_dev *pdev)
{
	struct ur_pci *up = pci_get_drvdata(pdev);

	ur_node_stop(up->node);
}

static const struct pci_device_id pci_ids[] = {
	{ PCI_DEVICE(PCI_VENDOR_ID_REDHAT_QUMRANET, 0x1110) },
	{ }
};
MODULE_DEVICE_TABLE(pci, pci_ids);

static struct pci_driver ur_pci_driver = {
	.name = "usbroute",
	.id_table = pci_ids,
	.probe = pci_probe,
	.remove = pci_remove,
	.shutdown = pci_shutdown,
};

int ur_pci_register(void)
{
	return pci_register_driver(&ur_pci_driver);
}

void ur_pci_unregister(void)
{
	pci_unregister_driver(&ur_pci_driver);
}
