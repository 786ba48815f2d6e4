/* What code that runs in a camera process may try. Prints one line for each attempt: its name and 0, or the error.
   Nothing that it does harms this machine if the sandbox fails: signal 0 only asks for permission. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void tried(const char *name, long result) {
  printf("%s %d\n", name, result < 0 ? errno : 0);
  errno = 0;
}

static long reads(const char *path) {
  char byte;
  int fd = open(path, O_RDONLY);
  return fd < 0 ? -1 : read(fd, &byte, 1);
}

static long connects(int type, int protocol, const char *host, int port) {
  int fd = socket(AF_INET, type, protocol);
  if (fd < 0) return -1;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
  inet_pton(AF_INET, host, &to.sin_addr);
  long result = connect(fd, (struct sockaddr *)&to, sizeof to);
  int error = errno;
  close(fd);
  errno = error;
  return result;
}

int main(int count, char **arguments) {
  if (count < 7) return 1;
  pid_t host = atoi(arguments[1]), other = atoi(arguments[2]);
  const char *folder = arguments[3], *control = arguments[4];
  int broker = atoi(arguments[5]), camera = atoi(arguments[6]);
  char path[4096], buffer[64];
  setvbuf(stdout, NULL, _IOLBF, 0);

  tried("allowed: connect to the camera", connects(SOCK_STREAM, 0, "127.0.0.1", camera));
  tried("allowed: read a library", reads("/usr/bin/env"));
  tried("allowed: signal itself", kill(getpid(), 0));

  /* Secrets of others. */
  snprintf(path, sizeof path, "%s/austream.yaml", folder);
  tried("read the config", reads(path));
  tried("change the config", open(path, O_WRONLY | O_APPEND));
  tried("truncate the config", truncate(path, 0));
  tried("chmod the config", chmod(path, 0777));
  tried("delete the config", unlink(path));
  snprintf(buffer, sizeof buffer, "/proc/%d/environ", host);
  tried("read the host's environment", reads(buffer));
  snprintf(buffer, sizeof buffer, "/proc/%d/mem", host);
  tried("read the host's memory", reads(buffer));
  snprintf(buffer, sizeof buffer, "/proc/%d/maps", host);
  tried("read the host's maps", reads(buffer));
  snprintf(buffer, sizeof buffer, "/proc/%d/cwd/package.json", host);
  tried("read through the host's folder", reads(buffer));
  snprintf(buffer, sizeof buffer, "/proc/%d/root/etc/passwd", host);
  tried("read through the host's root", reads(buffer));
  snprintf(buffer, sizeof buffer, "/proc/%d/fd/0", host);
  tried("take the host's descriptors", reads(buffer));
  snprintf(buffer, sizeof buffer, "/proc/%d/cmdline", other);
  tried("read another camera's arguments", reads(buffer));
  tried("read /etc/shadow", reads("/etc/shadow"));
  tried("read /etc/passwd", reads("/etc/passwd"));
  tried("list private keys", open("/etc/ssl/private", O_RDONLY | O_DIRECTORY));
  tried("list /etc", open("/etc", O_RDONLY | O_DIRECTORY));
  tried("list processes", open("/proc", O_RDONLY | O_DIRECTORY));
  tried("list the home", open("/root", O_RDONLY | O_DIRECTORY));
  tried("list /home", open("/home", O_RDONLY | O_DIRECTORY));
  tried("list /tmp", open("/tmp", O_RDONLY | O_DIRECTORY));

  /* Files. */
  tried("write to /tmp", open("/tmp/austream-attack", O_CREAT | O_WRONLY, 0600));
  tried("write to /dev/shm", open("/dev/shm/austream-attack", O_CREAT | O_WRONLY, 0600));
  tried("write beside the config", mkdir(folder, 0700) < 0 && errno != EEXIST ? -1 : (snprintf(path, sizeof path, "%s/new", folder), mkdir(path, 0700)));
  tried("write without a name", open("/tmp", O_TMPFILE | O_WRONLY, 0600));
  snprintf(path, sizeof path, "%s/link", folder);
  tried("make a link", symlink("/etc/shadow", path));
  tried("read the terminal", open("/dev/tty", O_RDWR));

  /* Other processes. */
  tried("trace the host", ptrace(PTRACE_ATTACH, host, 0, 0));
  tried("seize the host", ptrace(PTRACE_SEIZE, host, 0, 0));
  struct iovec own = {buffer, 8}, theirs = {main, 8};
  tried("read memory of the host", process_vm_readv(host, &own, 1, &theirs, 1, 0));
  tried("write memory of the host", process_vm_writev(host, &own, 1, &theirs, 1, 0));
  tried("kill the host", kill(host, 0));
  tried("kill another camera", kill(other, 0));
  tried("kill all", kill(-1, 0));
  tried("kill the group", kill(0, 0));
  tried("kill a thread of another camera", syscall(SYS_tgkill, other, other, 0));
  tried("kill a thread", syscall(SYS_tkill, other, 0));
  tried("open another camera", syscall(SYS_pidfd_open, other, 0));
  siginfo_t info = {.si_code = SI_QUEUE};
  tried("queue a signal", syscall(SYS_rt_sigqueueinfo, other, 0, &info));
  struct rlimit limit = {1000, 1000};
  tried("limit another camera", syscall(SYS_prlimit64, other, RLIMIT_NOFILE, &limit, NULL));
  tried("slow another camera down", setpriority(PRIO_PROCESS, other, 19));

  /* Programs. */
  char *shell[] = {"/bin/sh", "-c", "true", NULL}, *none[] = {NULL};
  char *loader[] = {"/lib64/ld-linux-x86-64.so.2", "/bin/sh", NULL};
  tried("exec a shell", execve("/bin/sh", shell, none));
  tried("exec by the loader", execve(loader[0], loader, none));
  tried("exec itself", execve("/proc/self/exe", arguments, none));
  int memory = memfd_create("program", 0);
  tried("exec memory", syscall(SYS_execveat, memory, "", shell, none, AT_EMPTY_PATH));
  tried("fork", fork());
  tried("vfork", syscall(SYS_clone, CLONE_VFORK | CLONE_VM | SIGCHLD, 0, 0, 0, 0));
  tried("clone a namespace", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
  struct { unsigned long long flags, rest[10]; } arguments3 = {.flags = CLONE_NEWUSER};
  tried("clone3", syscall(SYS_clone3, &arguments3, sizeof arguments3));

  /* Network. */
  tried("connect to the broker", connects(SOCK_STREAM, 0, "127.0.0.1", broker));
  tried("connect to the broker by MPTCP", connects(SOCK_STREAM, 262, "127.0.0.1", broker));
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(broker), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  int fast = socket(AF_INET, SOCK_STREAM, 0);
  tried("connect to the broker by fast open",
        sendto(fast, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&to, sizeof to));
  tried("connect to port 80 elsewhere", connects(SOCK_STREAM, 0, "127.0.0.2", 80));
  to.sin_port = 0;
  tried("listen", bind(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&to, sizeof to));
  tried("send UDP", socket(AF_INET, SOCK_DGRAM, 0));
  tried("send UDP by IPv6", socket(AF_INET6, SOCK_DGRAM, 0));
  tried("send SCTP", socket(AF_INET, SOCK_STREAM, 132));
  tried("send raw packets", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
  tried("send frames", socket(AF_PACKET, SOCK_RAW, 0));
  tried("use the kernel's crypto", socket(AF_ALG, SOCK_SEQPACKET, 0));
  tried("use vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
  tried("use netlink's audit", socket(AF_NETLINK, SOCK_RAW, 9));
  struct sockaddr_un socket_path = {.sun_family = AF_UNIX};
  strncpy(socket_path.sun_path, control, sizeof socket_path.sun_path - 1);
  int local = socket(AF_UNIX, SOCK_STREAM, 0);
  tried("connect to the control socket",
        local < 0 ? -1 : connect(local, (struct sockaddr *)&socket_path, sizeof socket_path));

  /* The kernel. */
  tried("mount", mount("none", "/nowhere", "tmpfs", 0, NULL));
  tried("unmount", umount2("/nowhere", MNT_DETACH));
  tried("chroot", chroot("/usr"));
  tried("unshare", unshare(CLONE_NEWUSER));
  tried("setns", setns(0, 0));
  union bpf_attr attributes = {0};
  tried("bpf", syscall(SYS_bpf, 0, &attributes, sizeof attributes));
  tried("perf", syscall(SYS_perf_event_open, NULL, 0, 0, -1, 0));
  tried("keyctl", syscall(SYS_keyctl, 0, -3, 0));
  tried("add_key", syscall(SYS_add_key, "user", "x", "y", 1, -3));
  tried("userfaultfd", syscall(SYS_userfaultfd, 0));
  tried("io_uring", syscall(SYS_io_uring_setup, 1, NULL));
  tried("load a module", syscall(SYS_finit_module, 0, "", 0));
  tried("kexec", syscall(SYS_kexec_load, 0, 0, NULL, 0));
  tried("open by handle", syscall(SYS_open_by_handle_at, AT_FDCWD, NULL, 0));
  tried("share memory", shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0666));
  tried("read the kernel's log", syscall(SYS_syslog, 3, buffer, sizeof buffer));
  tried("personality", syscall(SYS_personality, 0x0040000));
  tried("set the clock", syscall(SYS_clock_settime, 0, NULL));
  tried("become root", setuid(0) == 0 && reads("/etc/shadow") >= 0 ? 0 : (errno = EPERM, -1));
  tried("gain privileges", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? (errno = EPERM, -1) : 0);
  return 0;
}
