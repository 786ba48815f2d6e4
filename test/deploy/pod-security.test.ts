import { describe, expect, it } from 'vitest';
import { CONTROLS, violatedControls } from './checks/pod-security.ts';
import type { Manifest } from './render.ts';

const restricted = (): Manifest => ({
  securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
  containers: [
    {
      name: 'a',
      livenessProbe: { httpGet: { path: '/', port: 80 } },
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
    },
  ],
  volumes: [{ name: 'tmp', emptyDir: {} }],
});

/** For each control of the standard, changes that violate it and no other control. */
const VIOLATIONS: Readonly<Record<string, readonly ((pod: Manifest, container: Manifest) => void)[]>> = {
  HostProcess: [(pod) => (pod.securityContext.windowsOptions = { hostProcess: true })],
  'Host Namespaces': [
    (pod) => (pod.hostNetwork = true),
    (pod) => (pod.hostPID = true),
    (pod) => (pod.hostIPC = true),
  ],
  'Privileged Containers': [(_, { securityContext }) => (securityContext.privileged = true)],
  Capabilities: [
    (_, { securityContext }) => delete securityContext.capabilities,
    (_, { securityContext }) => (securityContext.capabilities.add = ['SYS_ADMIN']),
  ],
  'Host Ports': [(_, container) => (container.ports = [{ containerPort: 80, hostPort: 80 }])],
  'Host Probes / Lifecycle Hooks': [
    (_, { livenessProbe }) => (livenessProbe.httpGet.host = '10.0.0.1'),
    (_, container) => (container.lifecycle = { preStop: { httpGet: { host: '10.0.0.1', port: 80 } } }),
  ],
  AppArmor: [(_, { securityContext }) => (securityContext.appArmorProfile = { type: 'Unconfined' })],
  SELinux: [
    (pod) => (pod.securityContext.seLinuxOptions = { type: 'spc_t' }),
    (pod) => (pod.securityContext.seLinuxOptions = { user: 'root' }),
  ],
  '/proc Mount Type': [(_, { securityContext }) => (securityContext.procMount = 'Unmasked')],
  Sysctls: [(pod) => (pod.securityContext.sysctls = [{ name: 'kernel.msgmax', value: '1' }])],
  'Volume Types': [(pod) => pod.volumes.push({ name: 'host', hostPath: { path: '/' } })],
  'Privilege Escalation': [(_, { securityContext }) => delete securityContext.allowPrivilegeEscalation],
  'Running as Non-root': [
    (pod) => delete pod.securityContext.runAsNonRoot,
    (_, { securityContext }) => (securityContext.runAsNonRoot = false),
  ],
  'Running as Non-root user': [
    (pod) => (pod.securityContext.runAsUser = 0),
    (_, { securityContext }) => (securityContext.runAsUser = 0),
  ],
  Seccomp: [
    (pod) => delete pod.securityContext.seccompProfile,
    (_, { securityContext }) => (securityContext.seccompProfile = { type: 'Unconfined' }),
  ],
};

describe('Pod Security Standards, level restricted', () => {
  it('accepts a pod that meets all controls', () => {
    expect(violatedControls(restricted())).toEqual([]);
  });

  it.each(Object.keys(CONTROLS))('%s', (control) => {
    expect(VIOLATIONS[control]?.length).toBeGreaterThan(0);
    for (const violate of VIOLATIONS[control]!) {
      const pod = restricted();
      violate(pod, pod.containers[0]);
      expect(violatedControls(pod)).toEqual([control]);
    }
  });

  it('checks init containers, too', () => {
    const pod = restricted();
    pod.initContainers = [{ name: 'b', securityContext: { privileged: true } }];
    expect(violatedControls(pod)).toContain('Privileged Containers');
  });
});
