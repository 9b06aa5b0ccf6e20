/*
 * compat.h - every difference between PostgreSQL versions that lmtext meets (15 to 18).
 */
#ifndef LMTEXT_COMPAT_H
#define LMTEXT_COMPAT_H

#include "postgres.h"

#if PG_VERSION_NUM < 150000
#error "lmtext needs PostgreSQL 15 or newer"
#endif

#endif
