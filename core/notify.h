/* notify.h: telling the service manager how we are (sd_notify(3), protocol spoken by hand). Silent
 * when there is none. */
#pragma once

#include <stdint.h>

/* One datagram of KEY=VALUE lines. */
void notify_send(const char *format, ...) __attribute__((format(printf, 1, 2)));
void notify_reloading(void); /* RELOADING=1 with the monotonic time that systemd compares */
/* How often WATCHDOG=1 should go out, in milliseconds; 0 when the watchdog is off. */
int64_t notify_watchdog_ms(void);
