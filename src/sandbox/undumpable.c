/*
 * A Node add-on without functions: loading it makes the process undumpable. Other processes of the same user can then
 * neither trace it nor read its memory or environment under /proc, and it leaves no core file. Node-API asks for one
 * symbol only, so no header of Node is needed.
 */
#include <sys/prctl.h>

void *napi_register_module_v1(void *environment, void *exports) {
  (void)environment;
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  return exports;
}
