// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A link in the device tree, as libvmm's guests see it:
 *
 *      link@80000000 {
 *              compatible = "usbroute,link";
 *              reg = <outbox A>, <outbox B>, <doorbell page>;
 *              interrupts = <one edge interrupt>;
 *              usbroute,end = <0>;             0: we are A, 1: B
 *      };
 *
 * The outboxes are memory, not registers: mapped cached. On seL4 the peer's is
 * read-only in stage 2; nothing here writes to it.
 */
#include <linux/io.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/platform_device.h>

#include "node.h"

struct ur_of {
	struct ur_node *node;
	void __iomem *doorbell;
};

static void of_ring(struct ur_node *node)
{
	struct ur_of *uo = node->binding.private;

	writel(1, uo->doorbell);
}

static void *map_outbox(struct platform_device *pdev, unsigned int index,
			u64 *bytes)
{
	struct resource *r = platform_get_resource(pdev, IORESOURCE_MEM, index);

	if (!r)
		return ERR_PTR(dev_err_probe(&pdev->dev, -EINVAL,
					     "reg %u is missing, expected outbox A, outbox B, doorbell\n",
					     index));
	*bytes = resource_size(r);
	return devm_memremap(&pdev->dev, r->start, *bytes, MEMREMAP_WB);
}

static int map_outboxes(struct platform_device *pdev, struct ur_binding *b)
{
	void *outbox[2];
	u64 bytes[2];
	u32 end;
	int i;

	if (of_property_read_u32(pdev->dev.of_node, "usbroute,end", &end) ||
	    end > 1)
		return dev_err_probe(&pdev->dev, -EINVAL,
				     "usbroute,end must be 0 or 1\n");
	for (i = 0; i < 2; i++) {
		outbox[i] = map_outbox(pdev, i, &bytes[i]);
		if (IS_ERR(outbox[i]))
			return PTR_ERR(outbox[i]);
	}
	if (bytes[0] != bytes[1])
		return dev_err_probe(&pdev->dev, -EINVAL,
				     "outbox A has %llu bytes, outbox B %llu; expected the same\n",
				     bytes[0], bytes[1]);
	b->outbox_bytes = bytes[0];
	b->end = end;
	b->outbox_own = outbox[end];
	b->outbox_peer = outbox[!end];
	return 0;
}

static int of_probe(struct platform_device *pdev)
{
	struct ur_of *uo = devm_kzalloc(&pdev->dev, sizeof(*uo), GFP_KERNEL);
	struct ur_binding b = { .ring = of_ring, .private = uo };
	int err;

	if (!uo)
		return -ENOMEM;
	err = map_outboxes(pdev, &b);
	if (err)
		return err;
	uo->doorbell = devm_platform_ioremap_resource(pdev, 2);
	if (IS_ERR(uo->doorbell))
		return PTR_ERR(uo->doorbell);
	b.irq = platform_get_irq(pdev, 0);
	if (b.irq < 0)
		return b.irq;
	snprintf(b.name, sizeof(b.name), "device-tree %pOFn", pdev->dev.of_node);
	uo->node = ur_node_create(&pdev->dev, &b);
	if (IS_ERR(uo->node))
		return PTR_ERR(uo->node);
	platform_set_drvdata(pdev, uo);
	return 0;
}

static int of_remove(struct platform_device *pdev)
{
	struct ur_of *uo = platform_get_drvdata(pdev);

	ur_node_remove(uo->node);
	return 0;
}

static void of_shutdown(struct platform_device *pdev)
{
	struct ur_of *uo = platform_get_drvdata(pdev);

	ur_node_stop(uo->node);
}

static const struct of_device_id of_ids[] = {
	{ .compatible = "usbroute,link" },
	{ }
};
MODULE_DEVICE_TABLE(of, of_ids);

static struct platform_driver ur_of_driver = {
	.driver = {
		.name = "usbroute-link",
		.of_match_table = of_ids,
	},
	.probe = of_probe,
	.remove = of_remove,
	.shutdown = of_shutdown,
};

int ur_of_register(void)
{
	return platform_driver_register(&ur_of_driver);
}

void ur_of_unregister(void)
{
	platform_driver_unregister(&ur_of_driver);
}
