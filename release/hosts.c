/* For programs that are linked statically with the GNU C Library: names of hosts are looked up in
   /etc/hosts and in DNS, whatever /etc/nsswitch.conf says. Otherwise the library loads the modules
   that are named there, which are made for the machine's version of it: with another version, the
   process crashes. It does so with Debian 12's library and the modules of Debian 13. */

#include <nss.h>

__attribute__((constructor)) static void look_up_hosts(void) {
    __nss_configure_lookup("hosts", "files dns");
}
