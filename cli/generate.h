/* SPDX-License-Identifier: BSD-2-Clause */
/* usbroute policy generate [CLIENT [VM]]: rules that allow this machine's devices. */
#ifndef UR_GENERATE_H
#define UR_GENERATE_H

#include "command.h"

enum ur_exit ur_policy_generate(const struct ur_options *options);

#endif
