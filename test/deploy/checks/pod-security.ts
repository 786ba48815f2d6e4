import type { Manifest } from '../render.ts';
import { type Check, workloads } from './index.ts';

/** Returns true if the pod meets the control. */
type Control = (pod: Manifest, containers: readonly Manifest[]) => boolean;

const VOLUMES = new Set(
  'configMap csi downwardAPI emptyDir ephemeral image persistentVolumeClaim projected secret'.split(' '),
);
const SYSCTLS = new Set([
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ping_group_range',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.tcp_wmem',
]);
const SELINUX_TYPES = ['', 'container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t'];
const PROBES = ['livenessProbe', 'readinessProbe', 'startupProbe'];

const contexts = (pod: Manifest, containers: readonly Manifest[]): Manifest[] =>
  [pod, ...containers].map(({ securityContext }) => securityContext ?? {});
const own = (container: Manifest): Manifest => container.securityContext ?? {};
const handlers = (container: Manifest): Manifest[] =>
  [
    ...PROBES.map((probe) => container[probe]),
    container.lifecycle?.postStart,
    container.lifecycle?.preStop,
  ].flatMap((handler) => [handler?.httpGet, handler?.tcpSocket].filter(Boolean));
const seccompOk = (profile: Manifest | undefined) => ['RuntimeDefault', 'Localhost'].includes(profile?.type);

/** The controls of the Pod Security Standards, level restricted, by their official names. */
export const CONTROLS: Readonly<Record<string, Control>> = {
  HostProcess: (pod, containers) =>
    contexts(pod, containers).every((context) => !context.windowsOptions?.hostProcess),
  'Host Namespaces': (pod) => !pod.hostNetwork && !pod.hostPID && !pod.hostIPC,
  'Privileged Containers': (_, containers) => containers.every((container) => !own(container).privileged),
  Capabilities: (_, containers) =>
    containers.every((container) => {
      const { add = [], drop = [] } = own(container).capabilities ?? {};
      return drop.includes('ALL') && add.every((name: string) => name === 'NET_BIND_SERVICE');
    }),
  'Host Ports': (_, containers) =>
    containers.every(({ ports = [] }) => ports.every((port: Manifest) => !port.hostPort)),
  'Host Probes / Lifecycle Hooks': (_, containers) =>
    containers.every((container) => handlers(container).every(({ host }) => !host)),
  AppArmor: (pod, containers) =>
    contexts(pod, containers).every((context) => context.appArmorProfile?.type !== 'Unconfined'),
  SELinux: (pod, containers) =>
    contexts(pod, containers).every(
      ({ seLinuxOptions = {} }) =>
        SELINUX_TYPES.includes(seLinuxOptions.type ?? '') && !seLinuxOptions.user && !seLinuxOptions.role,
    ),
  '/proc Mount Type': (_, containers) =>
    containers.every((container) => ['Default', undefined].includes(own(container).procMount)),
  Sysctls: (pod) => (pod.securityContext?.sysctls ?? []).every(({ name }: Manifest) => SYSCTLS.has(name)),
  'Volume Types': ({ volumes = [] }) =>
    volumes.every((volume: Manifest) =>
      Object.keys(volume).every((key) => key === 'name' || VOLUMES.has(key)),
    ),
  'Privilege Escalation': (_, containers) =>
    containers.every((container) => own(container).allowPrivilegeEscalation === false),
  'Running as Non-root': (pod, containers) =>
    containers.every(
      (container) => (own(container).runAsNonRoot ?? pod.securityContext?.runAsNonRoot) === true,
    ),
  'Running as Non-root user': (pod, containers) =>
    contexts(pod, containers).every((context) => context.runAsUser !== 0),
  Seccomp: (pod, containers) =>
    contexts(pod, containers).every(({ seccompProfile }) => !seccompProfile || seccompOk(seccompProfile)) &&
    containers.every((container) =>
      seccompOk(own(container).seccompProfile ?? pod.securityContext?.seccompProfile),
    ),
};

/** The names of the controls that a pod violates. */
export function violatedControls(pod: Manifest): string[] {
  const containers = [
    ...(pod.initContainers ?? []),
    ...(pod.containers ?? []),
    ...(pod.ephemeralContainers ?? []),
  ];
  return Object.entries(CONTROLS).flatMap(([name, meets]) => (meets(pod, containers) ? [] : [name]));
}

const LEVELS = ['enforce', 'audit', 'warn'].map((mode) => `pod-security.kubernetes.io/${mode}`);

export const podSecurity: Check = (objects, report) => {
  for (const workload of workloads(objects))
    for (const control of violatedControls(workload.spec.template.spec))
      report(workload, `violates ${control}`);
  for (const object of objects)
    if (object.kind === 'Namespace')
      for (const level of LEVELS)
        if (object.metadata.labels?.[level] !== 'restricted') report(object, `${level} is not restricted`);
};
