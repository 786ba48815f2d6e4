/*
 * Starts a camera process in a sandbox: launcher [OPTION…] -- PROGRAM [ARGUMENT…]. Without root and without user
 * namespaces: no_new_privs, Landlock, seccomp, resource limits; with root also an own user and no capabilities. What the
 * kernel lacks is left out; `launcher --check` says what it has. Exit code 125: the sandbox could not be made.
 *
 *   --read PATH      readable, with everything below it        --device PATH    readable and writable, with ioctl
 *   --execute PATH   readable and executable                   --connect PORT   TCP may connect to this port
 *   --any-port       TCP may connect to every port             --udp            UDP is allowed
 *   --no-network     no network at all                         --listen         a loopback listener as descriptor 5
 *   --user ID        user and group to change to, if started as root and every path stays readable
 *   --registry FILE  GStreamer's registry, readable also if the user is changed
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Landlock's numbers (linux/landlock.h): Debian 12's headers know only its version 2. */
#define FS_EXECUTE (1ULL << 0)
#define FS_WRITE_FILE (1ULL << 1)
#define FS_READ_FILE (1ULL << 2)
#define FS_READ_DIR (1ULL << 3)
#define FS_IOCTL_DEV (1ULL << 15)
#define NET_BIND_TCP (1ULL << 0)
#define NET_CONNECT_TCP (1ULL << 1)
#define SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)
#define SCOPE_SIGNAL (1ULL << 1)
#define CREATE_RULESET_VERSION 1
#define RULE_PATH_BENEATH 1
#define RULE_NET_PORT 2
struct ruleset { uint64_t fs, net, scoped; };
struct path_rule { uint64_t access; int32_t parent; } __attribute__((packed));
struct port_rule { uint64_t access, port; };
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

#define LISTENER 5
#define MAX_RULES 512

static struct { const char *path; uint64_t access; } paths[MAX_RULES];
static int path_count;
static uint16_t ports[16];
static int port_count;
static int any_port, udp, no_network;

static void die(const char *what) {
  fprintf(stderr, "sandbox: %s: %s\n", what, strerror(errno));
  _exit(125);
}

/* --- Landlock ---------------------------------------------------------------------------------------------------- */

static long landlock_version(void) { return syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION); }

static void restrict_files_and_ports(void) {
  long version = landlock_version();
  if (version < 1) return;
  /* 13 rights of version 1; 2: refer, 3: truncate, 5: ioctl on devices. */
  struct ruleset ruleset = {.fs = (1ULL << 13) - 1};
  if (version >= 2) ruleset.fs |= 1ULL << 13;
  if (version >= 3) ruleset.fs |= 1ULL << 14;
  if (version >= 5) ruleset.fs |= FS_IOCTL_DEV;
  if (version >= 4) ruleset.net = NET_BIND_TCP | (any_port ? 0 : NET_CONNECT_TCP);
  if (version >= 6) ruleset.scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL;
  size_t size = version >= 6 ? sizeof ruleset : version >= 4 ? 16 : 8;
  int fd = syscall(SYS_landlock_create_ruleset, &ruleset, size, 0);
  if (fd < 0) die("landlock_create_ruleset");
  for (int i = 0; i < path_count; i++) {
    int parent = open(paths[i].path, O_PATH | O_CLOEXEC);
    if (parent < 0) continue; /* What does not exist needs no rule. */
    struct stat status;
    uint64_t access = paths[i].access & ruleset.fs;
    if (fstat(parent, &status) == 0 && !S_ISDIR(status.st_mode)) access &= ~FS_READ_DIR;
    struct path_rule rule = {access, parent};
    if (syscall(SYS_landlock_add_rule, fd, RULE_PATH_BENEATH, &rule, 0) != 0) die(paths[i].path);
    close(parent);
  }
  for (int i = 0; i < port_count && (ruleset.net & NET_CONNECT_TCP); i++) {
    struct port_rule rule = {NET_CONNECT_TCP, ports[i]};
    if (syscall(SYS_landlock_add_rule, fd, RULE_NET_PORT, &rule, 0) != 0) die("landlock_add_rule");
  }
  if (syscall(SYS_landlock_restrict_self, fd, 0) != 0) die("landlock_restrict_self");
  close(fd);
}

/* --- seccomp ------------------------------------------------------------------------------------------------------ */

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "no seccomp filter for this architecture"
#endif

static struct sock_filter filter[1024];
static int filter_length;

static void emit(uint16_t code, uint32_t k, uint8_t jump_true, uint8_t jump_false) {
  if (filter_length == 1024) _exit(125);
  filter[filter_length++] = (struct sock_filter){code, jump_true, jump_false, k};
}

static void load(size_t offset) { emit(BPF_LD | BPF_W | BPF_ABS, offset, 0, 0); }
static void answer(uint32_t action) { emit(BPF_RET | BPF_K, action, 0, 0); }
static uint32_t fails(int error) { return SECCOMP_RET_ERRNO | error; }

/* Refuses calls of this number whose 32 bits at `offset` and `mask` are none of the values. */
static void refuse_unless(long number, size_t offset, uint32_t mask, const uint32_t *values, int count, int error) {
  load(offsetof(struct seccomp_data, nr));
  emit(BPF_JMP | BPF_JEQ | BPF_K, number, 0, count + 3);
  load(offset);
  emit(BPF_ALU | BPF_AND | BPF_K, mask, 0, 0);
  for (int i = 0; i < count; i++) emit(BPF_JMP | BPF_JEQ | BPF_K, values[i], count - i, 0);
  answer(fails(error));
}

#define LOW(n) (offsetof(struct seccomp_data, args) + 8 * (n))
#define HIGH(n) (LOW(n) + 4)
#define UNLESS(number, offset, mask, error, ...)                                       \
  do {                                                                                 \
    const uint32_t values[] = {__VA_ARGS__};                                           \
    refuse_unless(number, offset, mask, values, sizeof values / sizeof *values, error); \
  } while (0)

static void refuse(long number, int error) {
  load(offsetof(struct seccomp_data, nr));
  emit(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1);
  answer(fails(error));
}

static void only_own_process(void) {
  uint32_t self = getpid(); /* exec keeps it */
  UNLESS(SYS_kill, LOW(0), ~0u, EPERM, self);
  UNLESS(SYS_tgkill, LOW(0), ~0u, EPERM, self);
  UNLESS(SYS_rt_sigqueueinfo, LOW(0), ~0u, EPERM, self);
  UNLESS(SYS_rt_tgsigqueueinfo, LOW(0), ~0u, EPERM, self);
  UNLESS(SYS_prlimit64, LOW(0), ~0u, EPERM, 0, self);
  UNLESS(SYS_setpriority, LOW(1), ~0u, EPERM, 0);
  static const long calls[] = {
    SYS_tkill, SYS_pidfd_open, SYS_pidfd_send_signal, SYS_pidfd_getfd, SYS_ptrace, SYS_process_vm_readv,
    SYS_process_vm_writev, SYS_process_madvise, SYS_kcmp, SYS_ioprio_set, SYS_migrate_pages, SYS_move_pages,
  };
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) refuse(calls[i], EPERM);
}

static void no_new_process(void) {
  /* glibc uses clone where clone3 is missing: a filter cannot see the flags of clone3. */
  refuse(SYS_clone3, ENOSYS);
  UNLESS(SYS_clone, LOW(0), CLONE_THREAD | 0x7e020000 /* CLONE_NEW… */, EPERM, CLONE_THREAD);
#ifdef SYS_fork
  refuse(SYS_fork, EPERM);
  refuse(SYS_vfork, EPERM);
#endif
}

/* The one exec is that of the launcher: its pointers are random, and the new program cannot know them. */
static void one_exec(const void *path, const void *arguments, const void *environment) {
  const uintptr_t pointers[] = {(uintptr_t)path, (uintptr_t)arguments, (uintptr_t)environment};
  for (int i = 0; i < 3; i++) {
    UNLESS(SYS_execve, LOW(i), ~0u, EPERM, (uint32_t)pointers[i]);
    UNLESS(SYS_execve, HIGH(i), ~0u, EPERM, (uint32_t)(pointers[i] >> 32));
  }
  refuse(SYS_execveat, EPERM);
}

static void few_sockets(void) {
  /* UNIX sockets lead to daemons and to austream's control socket; Landlock does not cover those with a path. Netlink
     (route, raw) tells the resolver which addresses this host has. */
  if (no_network) UNLESS(SYS_socket, LOW(0), ~0u, EACCES, AF_NETLINK);
  else UNLESS(SYS_socket, LOW(0), ~0u, EACCES, AF_INET, AF_INET6, AF_NETLINK);
  UNLESS(SYS_socket, LOW(1), 0xf, EACCES, SOCK_STREAM, SOCK_RAW, udp ? SOCK_DGRAM : SOCK_STREAM);
  UNLESS(SYS_socket, LOW(2), ~0u, EACCES, 0, IPPROTO_TCP, IPPROTO_UDP);
  /* TCP Fast Open connects without connect(), which Landlock checks. */
  UNLESS(SYS_sendto, LOW(3), MSG_FASTOPEN, EPERM, 0);
  UNLESS(SYS_sendmsg, LOW(2), MSG_FASTOPEN, EPERM, 0);
  UNLESS(SYS_sendmmsg, LOW(3), MSG_FASTOPEN, EPERM, 0);
}

/* Landlock covers neither modes, owners, times and attributes of files nor System V's and POSIX's IPC. */
static void nothing_shared(void) {
  static const long calls[] = {
    SYS_fchmod, SYS_fchmodat, 452 /* fchmodat2 */, SYS_fchown, SYS_fchownat, SYS_utimensat, SYS_setxattr,
    SYS_lsetxattr, SYS_fsetxattr, 463 /* setxattrat */, SYS_removexattr, SYS_lremovexattr, SYS_fremovexattr,
    466 /* removexattrat */, SYS_truncate, SYS_shmget, SYS_shmat, SYS_shmctl, SYS_semget, SYS_msgget, SYS_mq_open,
    SYS_mq_unlink,
#ifdef __x86_64__
    SYS_chmod, SYS_chown, SYS_lchown, SYS_utime, SYS_utimes, SYS_futimesat,
#endif
  };
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) refuse(calls[i], EPERM);
}

static void no_administration(void) {
  static const long calls[] = {
    SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_fspick,
    SYS_move_mount, SYS_open_tree, 442 /* mount_setattr */, SYS_unshare, SYS_setns, SYS_bpf, SYS_perf_event_open,
    SYS_keyctl, SYS_add_key, SYS_request_key, SYS_userfaultfd, SYS_io_uring_setup, SYS_io_uring_enter,
    SYS_io_uring_register, SYS_kexec_load, SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_reboot,
    SYS_swapon, SYS_swapoff, SYS_sethostname, SYS_setdomainname, SYS_settimeofday, SYS_clock_settime, SYS_adjtimex,
    SYS_clock_adjtime, SYS_quotactl, SYS_acct, SYS_personality, SYS_name_to_handle_at, SYS_open_by_handle_at,
    SYS_lookup_dcookie, SYS_vhangup, SYS_syslog, SYS_fanotify_init, SYS_seccomp,
#ifdef __x86_64__
    SYS_kexec_file_load, SYS_ioperm, SYS_iopl, SYS_modify_ldt, SYS_uselib, SYS_ustat, SYS_sysfs, SYS__sysctl,
#endif
  };
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) refuse(calls[i], EPERM);
  /* Typing into a terminal. */
  load(offsetof(struct seccomp_data, nr));
  emit(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 4);
  load(LOW(1));
  emit(BPF_JMP | BPF_JEQ | BPF_K, TIOCSTI, 1, 0);
  emit(BPF_JMP | BPF_JEQ | BPF_K, 0x541c /* TIOCLINUX */, 0, 1);
  answer(fails(EPERM));
}

static void filter_calls(const void *path, const void *arguments, const void *environment) {
  load(offsetof(struct seccomp_data, arch));
  emit(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
  answer(SECCOMP_RET_KILL_PROCESS);
#ifdef __x86_64__
  load(offsetof(struct seccomp_data, nr)); /* the x32 numbers */
  emit(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1);
  answer(SECCOMP_RET_KILL_PROCESS);
#endif
  only_own_process();
  no_new_process();
  one_exec(path, arguments, environment);
  few_sockets();
  nothing_shared();
  no_administration();
  answer(SECCOMP_RET_ALLOW);
  struct sock_fprog program = {filter_length, filter};
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0 && errno != EINVAL) die("seccomp");
}

static int has_seccomp(void) { return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL) != 0 && errno == EFAULT; }

/* --- user and capabilities ----------------------------------------------------------------------------------------- */

static uint32_t effective_capabilities(void) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {0};
  syscall(SYS_capget, &header, data);
  return data[0].effective;
}

/* Changing the user needs SETUID and SETGID; KILL lets the host end a process of another user. */
static int can_change_user(void) {
  uint32_t needed = 1u << CAP_SETUID | 1u << CAP_SETGID | 1u << CAP_KILL;
  return getuid() == 0 && (effective_capabilities() & needed) == needed;
}

/* A copy of the registry that every user can read. */
static void share_registry(const char *path) {
  int from = open(path, O_RDONLY | O_CLOEXEC), to = memfd_create("gstreamer-registry", 0);
  if (from < 0 || to < 0) return;
  char buffer[65536], name[64];
  for (ssize_t n; (n = read(from, buffer, sizeof buffer)) > 0;)
    if (write(to, buffer, n) != n) return;
  fchmod(to, 0444);
  snprintf(name, sizeof name, "/proc/self/fd/%d", to);
  setenv("GST_REGISTRY", name, 1);
  close(from);
}

static void change_user(uid_t id, const char *registry) {
  /* The groups of the devices stay: /dev/video* and /dev/dri belong to groups. */
  gid_t groups[32];
  int count = 0;
  struct stat status;
  for (int i = 0; i < path_count && count < 32; i++)
    if ((paths[i].access & FS_IOCTL_DEV) && stat(paths[i].path, &status) == 0 && S_ISCHR(status.st_mode) &&
        (status.st_mode & 0060) == 0060 && status.st_gid != 0)
      groups[count++] = status.st_gid;
  if (registry != NULL) share_registry(registry);
  int readable = setgroups(count, groups) == 0 && setresgid(-1, id, 0) == 0 && setresuid(-1, id, 0) == 0;
  for (int i = 0; i < path_count; i++)
    if (faccessat(AT_FDCWD, paths[i].path, R_OK, AT_EACCESS) != 0 && errno == EACCES) readable = 0;
  if (setresuid(-1, 0, 0) != 0 || setresgid(-1, 0, 0) != 0) die("setuid");
  if (!readable) {
    setgroups(0, NULL);
    return;
  }
  if (setgroups(count, groups) != 0 || setresgid(id, id, id) != 0 || setresuid(id, id, id) != 0) die("setuid");
}

static void drop_capabilities(void) {
  for (int capability = 0; capability < 64; capability++) prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct none[2] = {0};
  syscall(SYS_capset, &header, none);
}

/* --- start ----------------------------------------------------------------------------------------------------------- */

/* The TCP port that the program listens on: it may not bind one itself. */
static void open_listener(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 16) != 0) die("listen");
  if (getsockname(fd, (struct sockaddr *)&address, &size) != 0) die("getsockname");
  if (fd != LISTENER && (dup2(fd, LISTENER) < 0 || close(fd) != 0)) die("dup2");
  ports[port_count++] = ntohs(address.sin_port);
}

/* Copies bytes to a random address. */
static void *place(const void *bytes, size_t size) {
  for (int tries = 0; tries < 100; tries++) {
    uint64_t random;
    if (getrandom(&random, sizeof random, 0) != sizeof random) die("getrandom");
    /* 38 bits of address are there on every architecture; the offset in the first page is random too. */
    void *page = (void *)((random & 0x3ffffff000) | 0x1000000000);
    size_t offset = (random >> 52) & 0xff0;
    char *at = mmap(page, size + 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (at == page) return memcpy(at + offset, bytes, size);
    if (at != MAP_FAILED) munmap(at, size + 8192);
  }
  die("mmap");
  return NULL;
}

static void add_path(const char *path, uint64_t access) {
  if (path_count == MAX_RULES) die("too many paths");
  paths[path_count].path = path;
  paths[path_count++].access = access;
}

static const char *operand(char **arguments, int *i) {
  if (arguments[++*i] == NULL) die("an option without its value");
  return arguments[*i];
}

int main(int count, char **arguments) {
  if (count == 2 && strcmp(arguments[1], "--check") == 0) {
    long landlock = landlock_version();
    printf("{\"landlock\":%ld,\"seccomp\":%s,\"changesUser\":%s}\n", landlock < 0 ? 0 : landlock,
           has_seccomp() ? "true" : "false", can_change_user() ? "true" : "false");
    return 0;
  }
  const char *registry = NULL;
  uid_t user = 0;
  int i = 1, listener = 0;
  for (; i < count && strcmp(arguments[i], "--") != 0; i++) {
    const char *option = arguments[i];
    if (strcmp(option, "--read") == 0) add_path(operand(arguments, &i), FS_READ_FILE | FS_READ_DIR);
    else if (strcmp(option, "--execute") == 0) add_path(operand(arguments, &i), FS_READ_FILE | FS_EXECUTE);
    else if (strcmp(option, "--device") == 0)
      add_path(operand(arguments, &i), FS_READ_FILE | FS_READ_DIR | FS_WRITE_FILE | FS_IOCTL_DEV);
    else if (strcmp(option, "--connect") == 0 && port_count < 8) ports[port_count++] = atoi(operand(arguments, &i));
    else if (strcmp(option, "--any-port") == 0) any_port = 1;
    else if (strcmp(option, "--udp") == 0) udp = 1;
    else if (strcmp(option, "--no-network") == 0) no_network = 1;
    else if (strcmp(option, "--listen") == 0) listener = 1;
    else if (strcmp(option, "--user") == 0) user = atoi(operand(arguments, &i));
    else if (strcmp(option, "--registry") == 0) registry = operand(arguments, &i);
    else die(option);
  }
  if (i + 1 >= count) die("no program");
  if (listener) open_listener();
  struct rlimit no_core = {0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  if (user != 0 && can_change_user()) change_user(user, registry);
  if (registry != NULL) add_path(registry, FS_READ_FILE);
  drop_capabilities();
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) die("no_new_privs");
  restrict_files_and_ports();

  char *program = place(arguments[i + 1], strlen(arguments[i + 1]) + 1);
  char **program_arguments = place(arguments + i + 1, (count - i) * sizeof *arguments);
  extern char **environ;
  size_t variables = 0;
  while (environ[variables] != NULL) variables++;
  char **environment = place(environ, (variables + 1) * sizeof *environ);
  filter_calls(program, program_arguments, environment);
  execve(program, program_arguments, environment);
  die(arguments[i + 1]);
}
