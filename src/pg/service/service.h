/*
 * service.h - the room's beginning: from _PG_init.
 */
#ifndef LMTEXT_SERVICE_H
#define LMTEXT_SERVICE_H

void lmtext_service_init(void); /* settings */

#endif
